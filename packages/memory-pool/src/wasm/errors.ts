/** The error of the module reader for what is no module. */

/** The bytes are not a WebAssembly module that can be read. `cause` holds what V8 said, where it did. */
export class InvalidModuleError extends Error {
  override readonly name = 'InvalidModuleError';
  readonly code = 'ERR_INVALID_MODULE';

  constructor(reason: string, cause?: unknown) {
    super(`Cannot read the module: ${reason}`, cause === undefined ? undefined : { cause });
  }
}
