/** The shared libraries that programs and Node add-ons load, the dynamic loader included, by asking `ldd`. */
import { spawnSync } from 'node:child_process';

/**
 * Absolute paths, as the loader looks for them. A file that needs a library which is not here is passed over: it is an add-on
 * built for another C library, which its package does not load here either.
 */
export function sharedLibrariesOf(files: readonly string[]): readonly string[] {
  const libraries = new Set<string>();
  for (const file of files) {
    const { stdout, status } = spawnSync('ldd', [file], { encoding: 'utf8' });
    if (status !== 0 || stdout.includes('not found')) continue;
    // "libdl.so.2 => /lib/x86_64-linux-gnu/libdl.so.2 (0x7f...)" and "/lib64/ld-linux-x86-64.so.2 (0x7f...)"
    for (const [, path] of stdout.matchAll(/(?:^\s*|=> )(\/\S+) \(0x/gm)) libraries.add(path!);
  }
  return [...libraries];
}
