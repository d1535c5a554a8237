/** Merging updates of documents: the messages between the main thread and the thread that merges. */
import type { ReportedCause } from './errors.ts';
import type { Parcel } from './parcel.ts';

/** What is to be made of a document's updates: one update, its state vector, or what a state vector lacks. */
export type MergeTask = 'merge' | 'stateVector' | 'diff';

/** A module of the program's, which exports `merge(parts: Uint8Array[]): Uint8Array`, and functions of the other tasks' names if they are asked for. */
interface ModuleSource {
  kind: 'module';
  /** URL of the module. */
  url: string;
}

/** The program's Yjs. */
export interface YjsSource {
  kind: 'yjs';
  /** URL of the module, if the program names it; else it is looked for under its usual names. */
  url: string | undefined;
  /** Files and folders to look from. */
  searchPaths: string[];
  /** What the program's own one exports: one that lacks any of it is another version, whose documents may be of another form. */
  names: string[];
  /** Whether documents drop what was deleted. */
  gc: boolean;
}

export type MergeSource = ModuleSource | YjsSource;

export interface MergeOrder {
  task: MergeTask;
  /** Of a diff: the state vector that it is made for. */
  against?: Uint8Array | undefined;
  /** Whether somebody waits: it comes before those that nobody waits for. */
  isWaitedFor: boolean;
}

export interface MergeRequest {
  source: MergeSource;
  order: MergeOrder;
  parts: Parcel;
}

/** `missing`: its module was not found. */
export type MergeReply = { merged: Parcel } | { failure: ReportedCause; missing: boolean };
