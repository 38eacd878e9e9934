/** Something that the machine is built from is not on this computer. The message is one line and says how to get it. */
export class MissingPart extends Error {
  override readonly name = 'MissingPart';
}

export const INSTALL =
  'run `apt-get install --no-install-recommends qemu-system-x86 busybox-static` and try again';
