/** Documents whose updates can be merged: what the adapters for each kind of them have in common. */
export type { CompactedLog } from './compacted-log.ts';
export type { LiveDocument } from './document-log.ts';
export { Documents } from './documents.ts';
export { keptAlive, keptAliveFor } from './kept-alive.ts';
export { LeftOut } from './left-out.ts';
export { inTurns, type Merging, mergeFailed, NoMergeModule } from './merging.ts';
export { merge } from './merging-thread.ts';
export { readDocumentOptions, readStorageOptions, urlOf } from './options.ts';
export { GrowingPause, mayPass } from './pause.ts';
export { refusal } from './refusal.ts';
export { untilRoom } from './room.ts';
export { Trouble } from './trouble.ts';
export { Turns } from './turns.ts';
