import { platform, type VirtualMemory } from '../../src/index.js';

/** The real system, whose asynchronous calls start only when they are let go. */
export class HeldMemory {
  readonly virtualMemory: VirtualMemory;
  #letGo: () => void = () => {};
  readonly #go = new Promise<void>((resolve) => (this.#letGo = resolve));

  constructor() {
    const real = platform();
    this.virtualMemory = new Proxy(real, {
      get: (target, name: keyof VirtualMemory) => {
        if (name === 'syncAsync')
          return (...args: Parameters<VirtualMemory['syncAsync']>) =>
            this.#go.then(() => target.syncAsync(...args));
        if (name === 'adviseAsync')
          return (...args: Parameters<VirtualMemory['adviseAsync']>) =>
            this.#go.then(() => target.adviseAsync(...args));
        const value = target[name];
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  letGo(): void {
    this.#letGo();
  }
}
