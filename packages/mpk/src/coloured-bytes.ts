/** Which memory carries which key, as the kernel tells it. */
import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 1 << 20;

/** Bytes of mappings by key, from `/proc/self/smaps` (proc_pid_smaps(5): `Size`, `ProtectionKey`); key 0 left out. */
export function colouredBytes(smaps: Iterable<string> = readSmaps()): Map<number, number> {
  const byKey = new Map<number, number>();
  let kibibytes = 0;
  let rest = '';
  for (const chunk of smaps) {
    const text = rest + chunk;
    const end = text.lastIndexOf('\n') + 1;
    rest = text.slice(end);
    for (const [, name, value] of text.slice(0, end).matchAll(/^(Size|ProtectionKey):\s+(\d+)/gm)) {
      if (name === 'Size') {
        kibibytes = Number(value);
      } else if (value !== '0') {
        const key = Number(value);
        byKey.set(key, (byKey.get(key) ?? 0) + kibibytes * 1024);
      }
    }
  }
  return byKey;
}

/** In parts: a process with a million mappings has more text there than fits into a string. */
function* readSmaps(): Iterable<string> {
  const file = openSync('/proc/self/smaps', 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const byteLength = readSync(file, buffer);
      if (byteLength === 0) return;
      yield buffer.toString('latin1', 0, byteLength);
    }
  } finally {
    closeSync(file);
  }
}
