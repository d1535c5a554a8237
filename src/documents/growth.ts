/** How much was appended to a document since it was compacted, or that was tried: whether it is long enough to be compacted. */
import type { StoreInParcel } from '../protocol/service.ts';

/** A compaction follows so many patches, of a large snapshot one for so many of its bytes: all of it is written again … */
const MOST_PATCHES = 500;
const SNAPSHOT_BYTES_A_PATCH = 1024;
/** … or as many bytes of them as the snapshot has, but so many at least. */
const LEAST_BYTES = 64 * 1024;

export class Growth {
  snapshotBytes = 0;
  patches = 0;
  #bytes = 0;

  get isLong(): boolean {
    const mostPatches = Math.max(MOST_PATCHES, this.snapshotBytes / SNAPSHOT_BYTES_A_PATCH);
    return this.patches >= mostPatches || this.#bytes >= Math.max(LEAST_BYTES, this.snapshotBytes);
  }

  appended({ byteLength }: Uint8Array): void {
    this.patches++;
    this.#bytes += byteLength;
  }

  loaded({ snapshotBytes, patches, patchBytes }: StoreInParcel): void {
    this.snapshotBytes = snapshotBytes;
    this.patches = Math.max(this.patches, patches);
    this.#bytes = Math.max(this.#bytes, patchBytes);
  }

  /** With a compaction that begins: if it comes to nothing, it is tried again after as many patches again. */
  beginAnew(): void {
    this.patches = this.#bytes = 0;
  }
}
