/** What a store holds, as `loadStore` and `loadRecords` return it. */

/** All that lies in a store, as it was at one moment. */
export interface SDS_StoreContents {
  /** The last snapshot, `undefined` if there is none. */
  Snapshot: Uint8Array | undefined;
  /** Its number, `undefined` if there is none. */
  SnapshotClock: number | undefined;
  /** All patches, in ascending order of their numbers; those included that the snapshot covers. */
  Patches: Uint8Array[];
  /** The highest number of a patch, or of the snapshot; 0 if there is neither. */
  LastClock: number;
}

/** A record of a store. */
export interface SDS_Record {
  Key: string;
  Data: Uint8Array;
}
