/** The slab of a shared pool: no thread's own, so neither a thread's end nor a collection takes it away. */
import { ViewLedger, type VirtualMemory } from '@guardstripe/mmap';

/** Address space that goes when somebody says so. */
export class SharedSlab {
  readonly address: number;
  readonly byteLength: number;
  readonly #virtualMemory: VirtualMemory;

  constructor(address: number, byteLength: number, virtualMemory: VirtualMemory) {
    this.address = address;
    this.byteLength = byteLength;
    this.#virtualMemory = virtualMemory;
  }

  /** @throws `SystemError` if the system has no room */
  static reserve(byteLength: number, virtualMemory: VirtualMemory): SharedSlab {
    const address = virtualMemory.reserve(byteLength);
    ViewLedger.keepForGood(virtualMemory, address, byteLength);
    return new SharedSlab(address, byteLength, virtualMemory);
  }

  /** For the last attachment. @throws `SystemError`; trying again is possible */
  close(): void {
    this.#virtualMemory.unmap(this.address, this.byteLength);
  }
}
