/**
 * A secret that nothing in the process can read outside of one function: no other library, no stray pointer of native
 * code, no bug of ours. Its page carries a protection key, which is closed all the time but while `sign` runs.
 *
 *     all other code │ key closed │ reading the page ends the process
 *     sign()         │ key open   │ opened and closed without a system call, for this thread only
 *
 * Without keys, page protection does the same by two system calls; the page is then open to all threads while `sign` runs.
 */
import { spawnSync } from 'node:child_process';
import { createHmac, randomFillSync } from 'node:crypto';
import { writeSync } from 'node:fs';
import { host, Mmap } from '@guardstripe/mmap';
import { allow, isSupported, keys, ProtectionMask, supportReason, withMask } from '@guardstripe/mpk';

const SECRET_BYTES = 32;

/** Runs a function while the page can be read. */
type OpenWhile = <T>(fn: () => T) => T;

function openByKey(map: Mmap): OpenWhile {
  const [key] = keys(1).keys;
  if (key === undefined) throw new Error('There is no protection key');
  key.protect({ map, offset: 0, byteLength: map.byteLength }, 'read');
  allow(ProtectionMask.zero);
  const secretOpen = ProtectionMask.zero.or(key);
  return (fn) => withMask(secretOpen, fn);
}

function openByProtection(map: Mmap): OpenWhile {
  map.protect(0, map.byteLength, 'none');
  return (fn) => {
    map.protect(0, map.byteLength, 'read');
    try {
      return fn();
    } finally {
      map.protect(0, map.byteLength, 'none');
    }
  };
}

/** A signer with a secret of its own, born in its page. OpenSSL works on a copy, for as long as a call lasts. */
function makeSigner() {
  const map = Mmap.anonymous(host().pageSize);
  const secret = new Uint8Array(map.view(0, SECRET_BYTES));
  randomFillSync(secret);
  const openWhile = isSupported() ? openByKey(map) : openByProtection(map);
  return {
    sign: (text: string) => openWhile(() => createHmac('sha256', secret).update(text).digest('hex')),
    /** No signer would hand this out: it stands for an address that leaked. */
    leaked: secret,
    [Symbol.dispose]: () => map.close(),
  };
}

function describeHost(): void {
  if (isSupported()) {
    console.log('keys      this machine has protection keys: the page carries one');
    return;
  }
  console.log(`keys      none: ${supportReason()}`);
  console.log(
    '          with keys, sign() would open the page for its own thread only, without a system call',
  );
  console.log('          here, mprotect opens and closes it, for all threads');
}

function tryOutside(): void {
  using signer = makeSigner();
  const { sign, leaked } = signer;
  const [first, second] = [sign('hello'), sign('hello')];
  console.log(`inside    sign('hello') = ${first.slice(0, 16)}..., again the same: ${first === second}`);
  try {
    writeSync(1, leaked);
    process.exitCode = 1; // It is on the screen.
  } catch (error) {
    console.log(
      `outside   writing it to standard output fails with ${(error as NodeJS.ErrnoException).code}`,
    );
  }
}

if (process.argv[2] === 'read') {
  using signer = makeSigner();
  signer.sign('hello');
  writeSync(1, `outside   read it: ${signer.leaked[0]}\n`);
} else {
  describeHost();
  tryOutside();
  const { signal, stdout } = spawnSync(process.execPath, [import.meta.filename, 'read'], {
    encoding: 'utf8',
  });
  console.log(
    signal === null ? stdout : `outside   JavaScript that reads one byte of it ends the process by ${signal}`,
  );
  if (signal !== 'SIGSEGV') process.exitCode = 1;
}
