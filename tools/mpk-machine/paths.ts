/** Where things are on the host and inside the machine. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HERE = dirname(fileURLToPath(import.meta.url));
export const WORKSPACE = join(HERE, '..', '..');

/** What a run leaves behind; emptied at the start of each. */
export const OUT = join(HERE, 'out');

/** The kernel is kept here; everything in it can be deleted at any time. */
export const CACHE = join(WORKSPACE, 'node_modules', '.cache', 'guardstripe', 'mpk-machine');

export const GUEST_WORKSPACE = '/guardstripe';
export const GUEST_NODE = '/usr/bin/node';

/** Files that the guest's command writes here come back to `OUT`. */
export const GUEST_OUT = '/out';
