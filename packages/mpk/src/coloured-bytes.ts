/** Which memory carries which key, as the kernel tells it. */
import { readFileSync } from 'node:fs';

/** Bytes of mappings by key, from `/proc/self/smaps` (proc_pid_smaps(5): `Size`, `ProtectionKey`); key 0 left out. */
export function colouredBytes(smaps = readFileSync('/proc/self/smaps', 'latin1')): Map<number, number> {
  const byKey = new Map<number, number>();
  let kibibytes = 0;
  for (const [, name, value] of smaps.matchAll(/^(Size|ProtectionKey):\s+(\d+)/gm)) {
    if (name === 'Size') {
      kibibytes = Number(value);
    } else if (value !== '0') {
      const key = Number(value);
      byKey.set(key, (byKey.get(key) ?? 0) + kibibytes * 1024);
    }
  }
  return byKey;
}
