/** Starts the server: `node serve.ts [restored|fresh] [port]`. Prints where it listens, and stops when its input ends. */
import { listen } from './src/server.ts';
import { MODES, openSandboxes, type Mode } from './src/sandboxes.ts';

const [mode = 'restored', port = '0'] = process.argv.slice(2);
if (!MODES.includes(mode as Mode)) throw new Error(`The mode must be one of: ${MODES.join(', ')}`);
await using sandboxes = openSandboxes(mode as Mode);
const { server, url } = await listen(sandboxes, Number(port));
console.log(url);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once('end', resolve));
server.close();
server.closeAllConnections();
