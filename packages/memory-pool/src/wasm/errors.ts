/** The one error of the module reader. */

/** The bytes are not a WebAssembly module that can be read. `cause` holds what V8 or the parser said, where one did. */
export class InvalidModuleError extends Error {
  override readonly name = 'InvalidModuleError';
  readonly code = 'ERR_INVALID_MODULE';

  constructor(reason: string, cause?: unknown) {
    super(`Cannot read the module: ${reason}`, cause === undefined ? undefined : { cause });
  }
}
