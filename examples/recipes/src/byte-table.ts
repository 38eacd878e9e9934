/**
 * A small database whose whole state is one stretch of bytes: a hash table from strings to strings, with open addressing.
 * Copy the bytes, and the database is copied.
 *
 *     0        4          8                      8 + 4 * BUCKETS
 *     | rows   | end      | bucket: entry or 0   | entry: key bytes, value bytes, key, value | entry ...
 *
 * Rows are added and changed, not removed. All numbers are 32 bits wide.
 */
const ROWS = 0;
const END = 4;
const FIRST_BUCKET = 8;
const BUCKETS = 16_384;
const FIRST_ENTRY = FIRST_BUCKET + 4 * BUCKETS;
const HEADER_BYTES = 8;

export class ByteTable {
  readonly #words: DataView;
  readonly #bytes: Uint8Array;

  /** Takes up the table in `buffer`; zeros are an empty one. */
  constructor(buffer: ArrayBuffer) {
    this.#words = new DataView(buffer);
    this.#bytes = new Uint8Array(buffer);
    if (this.#get(END) === 0) this.#set(END, FIRST_ENTRY);
  }

  get rows(): number {
    return this.#get(ROWS);
  }

  get(key: string): string | undefined {
    const entry = this.#get(this.#bucketOf(Buffer.from(key)));
    return entry === 0 ? undefined : this.#value(entry).toString();
  }

  set(key: string, value: string): void {
    const [keyBytes, valueBytes] = [Buffer.from(key), Buffer.from(value)];
    const bucket = this.#bucketOf(keyBytes);
    const isNew = this.#get(bucket) === 0;
    // One bucket stays free, or a search for a key that is not there would never end.
    if (isNew && this.rows === BUCKETS - 1) throw new RangeError(`The table is full: ${this.rows} rows`);
    if (this.#get(END) + HEADER_BYTES + keyBytes.length + valueBytes.length > this.#bytes.length) {
      throw new RangeError(`The table is full: ${this.#bytes.length} bytes`);
    }
    if (isNew) this.#set(ROWS, this.rows + 1);
    this.#set(bucket, this.#append(keyBytes, valueBytes));
  }

  /** The bucket of a key: the one that has it, or the free one where it belongs. */
  #bucketOf(key: Buffer): number {
    let hash = 2_166_136_261;
    for (const byte of key) hash = Math.imul(hash ^ byte, 16_777_619) >>> 0;
    for (let step = 0; ; step += 1) {
      const bucket = FIRST_BUCKET + 4 * ((hash + step) % BUCKETS);
      const entry = this.#get(bucket);
      if (entry === 0 || this.#key(entry).equals(key)) return bucket;
    }
  }

  #append(key: Buffer, value: Buffer): number {
    const entry = this.#get(END);
    this.#set(END, entry + HEADER_BYTES + key.length + value.length);
    this.#set(entry, key.length);
    this.#set(entry + 4, value.length);
    this.#bytes.set(key, entry + HEADER_BYTES);
    this.#bytes.set(value, entry + HEADER_BYTES + key.length);
    return entry;
  }

  #key(entry: number): Buffer {
    return Buffer.from(this.#bytes.buffer, entry + HEADER_BYTES, this.#get(entry));
  }

  #value(entry: number): Buffer {
    return Buffer.from(this.#bytes.buffer, entry + HEADER_BYTES + this.#get(entry), this.#get(entry + 4));
  }

  #get(at: number): number {
    return this.#words.getUint32(at, true);
  }

  #set(at: number, value: number): void {
    this.#words.setUint32(at, value, true);
  }
}
