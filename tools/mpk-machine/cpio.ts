/**
 * Writes the archive format of an initramfs, "newc" (Linux: Documentation/driver-api/early-userspace/buffer-format.rst):
 *
 *     header (110 bytes of ASCII) | name, NUL | pad to 4 | contents | pad to 4 | next header ... | "TRAILER!!!"
 *
 * Written here and not by cpio(1), so that files go straight from where they are into the archive, owned by root, and
 * nobody has to be root or keep a copy of the tree.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

const DIRECTORY = 0o040755;
const SYMLINK = 0o120777;
const REGULAR = 0o100000;
const MAX_FILE_BYTES = 0xffff_ffff;

export class CpioWriter {
  readonly #file: number;
  readonly #directories = new Set<string>(['']);
  #nextInode = 1;
  #archiveBytes = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  /** Adds a directory and those above it; one that is there already stays as it is. `path` is absolute in the machine. */
  directory(path: string): void {
    const name = nameOf(path);
    if (this.#directories.has(name)) return;
    this.#parentOf(name);
    this.#directories.add(name);
    this.#entry(name, DIRECTORY, new Uint8Array());
  }

  symlink(path: string, target: string): void {
    this.#parentOf(nameOf(path));
    this.#entry(nameOf(path), SYMLINK, Buffer.from(target));
  }

  /** Throws a `RangeError` if the format cannot hold a file of this size. */
  file(path: string, contents: Uint8Array, executable = false): void {
    if (contents.byteLength > MAX_FILE_BYTES) {
      throw new RangeError(
        `Cannot archive ${path}: a file must be under 4 GiB, received ${contents.byteLength} bytes`,
      );
    }
    this.#parentOf(nameOf(path));
    this.#entry(nameOf(path), REGULAR | (executable ? 0o755 : 0o644), contents);
  }

  /** Ends the archive and returns its size in bytes. */
  close(): number {
    this.#entry('TRAILER!!!', 0, new Uint8Array());
    closeSync(this.#file);
    return this.#archiveBytes;
  }

  #parentOf(name: string): void {
    const end = name.lastIndexOf('/');
    if (end > 0) this.directory(name.slice(0, end));
  }

  #entry(name: string, mode: number, contents: Uint8Array): void {
    const nameBytes = Buffer.from(`${name}\0`);
    const inode = this.#nextInode++;
    // inode, mode, uid, gid, links, mtime, size, device x 2, special device x 2, name size, check sum (unused)
    const fields = [inode, mode, 0, 0, 1, 0, contents.byteLength, 0, 0, 0, 0, nameBytes.byteLength, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    this.#write(Buffer.concat([Buffer.from(header), nameBytes]));
    this.#pad();
    this.#write(contents);
    this.#pad();
  }

  #pad(): void {
    this.#write(new Uint8Array(-this.#archiveBytes & 3));
  }

  #write(bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.byteLength) written += writeSync(this.#file, bytes, written);
    this.#archiveBytes += written;
  }
}

/** Names in the archive are relative to the root. */
function nameOf(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}
