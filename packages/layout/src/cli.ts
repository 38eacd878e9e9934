#!/usr/bin/env node
/** The command `slab-plan`: plans, draws and explains slabs. An entry of its own, for the library has nothing of Node in it. */
import { main } from './cli/main.js';

process.exitCode = main(process.argv.slice(2));
