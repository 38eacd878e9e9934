#!/usr/bin/env node
/** The command of the package, for `npx @guardstripe/memory-pool doctor`. */
import { run } from './command.js';

process.exitCode = run(process.argv.slice(2));
