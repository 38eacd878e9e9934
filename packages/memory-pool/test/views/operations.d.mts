/** See `operations.mjs`. */
export const OPERATIONS: Readonly<Record<string, { readonly left?: 'retired' | 'either' }>>;
