/** What is used of Hocuspocus 4, in its own words. It is not imported: who has it hands it over with each hook. */
import type { YjsDoc } from '../protocol/yjs.ts';

/** The server: the class `Hocuspocus`. */
export interface HocuspocusServer {
  /** None where a program passes the connections on by itself. */
  readonly server?: { readonly httpServer: HttpServer };
  readonly configuration: { readonly extensions: unknown[] };
  /** Each resolves, or rejects, with the loading of a document. */
  readonly loadingDocuments: ReadonlyMap<string, PromiseLike<YjsDoc>>;
  readonly documents: ReadonlyMap<string, YjsDoc>;
  closeConnections(documentName?: string): void;
  unloadDocument(document: never): PromiseLike<unknown>;
  /** Stores without waiting longer; not in every version. */
  flushPendingStores?(): unknown;
  storeDocumentHooks(document: never, payload: never, immediately?: boolean): unknown;
}

export interface HttpServer {
  readonly listening: boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** What hooks get. */
export interface DocumentPayload {
  instance: HocuspocusServer;
  document: YjsDoc;
  documentName: string;
}

/** A change that came from another server, by way of Redis. */
export function isFromRedis(origin: unknown): boolean {
  return typeof origin === 'object' && origin !== null && 'source' in origin && origin.source === 'redis';
}
