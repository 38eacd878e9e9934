/**
 * Types of the runtime that a project may not know: without `@types/node` and without the browser's library there is neither
 * `URL` nor `AbortSignal`, and published types that name them do not check. Where the project knows them, these are they.
 */

/** `URL`, or what of it is needed. */
export type UrlLike = typeof globalThis extends { URL: { prototype: infer T } }
  ? T
  : { readonly href: string };

/** `AbortSignal`, or what of it is needed. */
export type AbortSignalLike = typeof globalThis extends { AbortSignal: { prototype: infer T } }
  ? T
  : {
      readonly aborted: boolean;
      readonly reason: unknown;
      throwIfAborted(): void;
      addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
      removeEventListener(type: 'abort', listener: () => void): void;
    };
