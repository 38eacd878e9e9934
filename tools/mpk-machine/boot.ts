/** Starts QEMU, passes the machine's console on and waits until it is off. */
import { spawn } from 'node:child_process';
import type { MachineOptions } from './options.ts';

export type BootEnd =
  | { readonly kind: 'off' }
  | { readonly kind: 'time limit' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface Boot {
  readonly qemu: string;
  readonly kernel: string;
  readonly initramfs: string;
  /** What the machine writes to its second serial port lands in this file. */
  readonly secondPort: string;
  /** A file that is the machine's only disk. */
  readonly swapDisk: string | undefined;
  readonly machine: MachineOptions;
}

/** The commands' exit status is in the results, not here. */
export async function boot(options: Boot): Promise<BootEnd> {
  const child = spawn(options.qemu, qemuArguments(options), { stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = (): void => void child.kill('SIGKILL');
  process.once('exit', stop);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

  let timeIsUp = false;
  const timer = setTimeout(() => {
    timeIsUp = true;
    stop();
  }, options.machine.timeLimitSeconds * 1000);
  // The serial port ends lines with CR LF.
  child.stdout.on('data', (bytes: Buffer) => process.stdout.write(bytes.filter((byte) => byte !== 0x0d)));

  try {
    return await new Promise<BootEnd>((resolve) => {
      child.once('error', (error) => resolve({ kind: 'failed', reason: error.message }));
      child.once('close', (code, signal) => {
        if (timeIsUp) resolve({ kind: 'time limit' });
        else if (code === 0) resolve({ kind: 'off' });
        else resolve({ kind: 'failed', reason: `QEMU ended with ${signal ?? `exit status ${code}`}` });
      });
    });
  } finally {
    clearTimeout(timer);
    process.off('exit', stop);
  }
}

function qemuArguments({ kernel, initramfs, secondPort, swapDisk, machine }: Boot): readonly string[] {
  return [
    ['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    // `max` is every feature QEMU can emulate; protection keys are among them.
    ['-accel', 'tcg,thread=multi', '-cpu', 'max'],
    ['-m', String(machine.memoryMebibytes), '-smp', String(machine.numCpus)],
    ['-serial', 'stdio', '-serial', `file:${secondPort}`],
    swapDisk === undefined ? [] : diskArguments(swapDisk),
    ['-kernel', kernel, '-initrd', initramfs],
    // A kernel that panics reboots at once, and without reboot QEMU ends: no result, so a failure.
    ['-append', 'console=ttyS0 quiet panic=-1'],
  ].flat();
}

function diskArguments(file: string): readonly string[] {
  // Cloud kernels have this kind of disk built in; a virtio disk's driver is a module.
  return [
    '-drive',
    `file=${file},if=none,id=swap,format=raw,cache=unsafe`,
    '-device',
    'nvme,drive=swap,serial=swap',
  ];
}
