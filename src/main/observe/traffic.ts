/** How much is committed in this thread, for operations on whole files to make room for it. */

/** One cell, which is counted up with each batch and large write that is settled, and wraps. */
export const traffic = new Int32Array(new SharedArrayBuffer(4));
