/** What the processes of the example and the page tell each other beside the documents. */

/** The two servers: the same program, on this package and on the synchronous provider. */
export const sides = ['worker', 'synchronous'] as const;
export type Side = (typeof sides)[number];

export const sideTitles: Readonly<Record<Side, string>> = {
  worker: 'sds-persistence-worker',
  synchronous: 'synchronous provider',
};

/** The document that the page shows unless its address names another. */
export const DEFAULT_ROOM = 'welcome';
/** Name of the text within a Yjs document that is edited, and of the one that the page types into to measure. */
export const DOCUMENT_TEXT = 'document';
export const MEASURED_TEXT = 'measured';

/** What a server did and how it felt, in the time since its last sample. */
export interface Sample {
  ms: number;
  /** By how many milliseconds the event loop was late at most. */
  delayMax: number;
  /** Microseconds: processor time of the main thread, all that it does, and the clock's time inside the provider's calls. */
  cpuUs: number;
  insideUs: number;
  patches: number;
  snapshots: number;
  /** Patches that were called but are not durable yet. */
  waiting: number;
  sockets: number;
  rooms: number;
  rssBytes: number;
}

export interface Settings {
  /** How many simulated editors there are on each server. */
  editors: number;
  /** Their key presses a second, each. */
  pace: number;
  /** What is saved with each snapshot beside the text: the size of pictures in the document. */
  megabytes: number;
}

export const limits = { editors: 1000, pace: 20, megabytes: 16 } as const;
export const initialSettings: Settings = { editors: 100, pace: 4, megabytes: 8 };

/** Bytes of a server's process, as Node tells them. */
export interface Memory {
  rss: number;
  heapTotal: number;
  heapUsed: number;
  external: number;
  arrayBuffers: number;
}

/** From the front to a server's process. */
export type ServerOrder =
  | { kind: 'megabytes'; megabytes: number }
  | { kind: 'save-snapshot'; room: string; megabytes: number }
  | { kind: 'kill-worker' }
  /** Collects garbage, if Node was told to offer that, and tells what memory is left. */
  | { kind: 'measure-memory' };

/** From a server's process to the front. */
export type ServerReport =
  | { kind: 'listening'; port: number }
  | { kind: 'sample'; sample: Sample }
  | { kind: 'happened'; text: string }
  | { kind: 'memory'; memory: Memory };

/** From the front to the simulated editors' process. */
export interface CrowdOrder {
  kind: 'crowd';
  editors: number;
  pace: number;
  room: string;
  /** Where each server is, as a WebSocket's URL; missing while it is down. */
  addresses: Partial<Record<Side, string>>;
}

/** From the simulated editors' process to the front. */
export type CrowdReport =
  | { kind: 'crowd'; connected: Record<Side, number>; keys: number }
  /** After a server has come back: what it had acknowledged as durable, and how much of that it no longer had. */
  | { kind: 'compared'; side: Side; editors: number; acknowledged: number; missing: number };

/** From the page to the front. */
export type PageOrder =
  | ({ kind: 'settings' } & Partial<Settings>)
  | { kind: 'save-snapshot'; room: string }
  | { kind: 'kill-worker' }
  | { kind: 'kill-server'; side: Side };

export interface SideState {
  /** Where the server listens; undefined while it is down. */
  port: number | undefined;
  pid: number | undefined;
  connected: number;
}

/** From the front to the page. */
export type PageReport =
  | { kind: 'state'; settings: Settings; sides: Record<Side, SideState>; node: string; cores: number }
  | { kind: 'sample'; side: Side; sample: Sample; commits: number }
  | { kind: 'happened'; at: number; side: Side | undefined; text: string };
