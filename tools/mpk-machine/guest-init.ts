/** The machine's `/init`: the first and only program the kernel starts. */
import { GUEST_OUT } from './paths.ts';

/** The file in `GUEST_OUT` that holds the exit status of the command, in decimal. */
export const EXIT_STATUS_FILE = 'exit-status';

const SWAP_DISK = '/dev/nvme0n1';

export interface GuestCommand {
  /** Where it runs. */
  readonly folder: string;
  readonly words: readonly string[];
  readonly sysctls: readonly string[];
  /** Whether the machine has a disk to swap to. */
  readonly swaps: boolean;
  /** `NAME=value` */
  readonly environment: readonly string[];
}

/**
 * Prepares what programs expect of a Linux, runs the command with its output on the first serial port, sends the folder
 * `GUEST_OUT` as a compressed tar archive over the second and switches the machine off.
 */
export function initScript(command: GuestCommand): string {
  return `#!/bin/busybox sh
export PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd
ip link set lo up
stty -onlcr < /dev/console
stty -F /dev/ttyS1 raw -echo clocal
${
  command.swaps
    ? `mkswap ${SWAP_DISK} > /dev/null && swapon ${SWAP_DISK}
`
    : ''
}
${command.sysctls.map((setting) => `sysctl -q -w ${quoted(setting)}\n`).join('')}
${command.environment.map((assignment) => `export ${quoted(assignment)}\n`).join('')}
# Through a pipe: programs see no terminal and print plain lines.
{
  (cd ${quoted(command.folder)} && ${command.words.map(quoted).join(' ')})
  echo $? > ${GUEST_OUT}/${EXIT_STATUS_FILE}
} < /dev/null 2>&1 | cat
tar -cz -C ${GUEST_OUT} . > /dev/ttyS1
poweroff -f
`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
