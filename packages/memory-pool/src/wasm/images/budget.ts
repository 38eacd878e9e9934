/** How large the images of one module may be, so that a small file cannot ask for large ones. */

/**
 * An image may be this many times its data. An image costs memory for its zeros too, once; in return an allocation is one
 * mapping instead of a copy and a page fault for each piece. Data with gaps of up to three times its size is worth that.
 * Compilers' data is denser: esbuild's image (Go, 98,450 segments) is 1.57 times its data, tiktoken's (Rust) 1.001 times.
 */
const MAX_IMAGE_TO_DATA_RATIO = 4;

/**
 * Beside that rule, all images of a module together may have this many bytes: a few strings on a few pages make a
 * ratio of hundreds, and cost nothing. One allowance for all the memories: a module of 1 MB can define tens of thousands,
 * each with two bytes a megabyte apart.
 */
const SPARSE_ALLOWANCE_BYTES = 1_048_576;

/** The bytes a module's images may still take. One for each module. */
export class ImageBudget {
  #allowanceBytes = SPARSE_ALLOWANCE_BYTES;

  /**
   * Whether an image of `imageBytes` is worth its memory. Images that are dense enough leave the allowance alone; others
   * are taken from it.
   *
   * @param dataBytes - sum of the segments' lengths: what the file itself takes for them, overlaps and all
   */
  take(imageBytes: number, dataBytes: number): boolean {
    if (imageBytes <= dataBytes * MAX_IMAGE_TO_DATA_RATIO) return true;
    if (imageBytes > this.#allowanceBytes) return false;
    this.#allowanceBytes -= imageBytes;
    return true;
  }
}
