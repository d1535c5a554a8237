/** Real Hocuspocus servers for tests, with real clients. */
import { HocuspocusProvider } from '@hocuspocus/provider';
import { type Extension, Server } from '@hocuspocus/server';
import { HocuspocusPersistence, type HocuspocusPersistenceOptions } from 'sds-persistence-worker/hocuspocus';
import { expect, onTestFinished } from 'vitest';
import * as Y from 'yjs';

export interface Served {
  server: Server;
  persistence: HocuspocusPersistence;
  url: string;
}

/** A server that is stopped when the test has ended. */
export async function serve(
  database: string,
  options: Partial<HocuspocusPersistenceOptions> & {
    debounce?: number;
    others?: Extension[];
    yDocOptions?: { gc: boolean; gcFilter: () => boolean };
  } = {},
): Promise<Served> {
  const { debounce = 20, others = [], yDocOptions = { gc: true, gcFilter: () => true }, ...own } = options;
  const persistence = new HocuspocusPersistence({ database, leaseMs: 1000, ...own });
  const server = new Server({
    port: 0,
    address: '127.0.0.1',
    quiet: true,
    stopOnSignals: false,
    debounce,
    yDocOptions,
    extensions: [persistence, ...others],
  });
  const served = { server, persistence, url: '' };
  onTestFinished(() => stop(served));
  await server.listen();
  served.url = server.webSocketURL;
  return served;
}

/** Whatever hinders it from storing what it has. */
export async function stop({ server, persistence }: Served): Promise<void> {
  server.hocuspocus.closeConnections();
  server.httpServer.close();
  await persistence.destroy().catch(() => undefined); // a test may have made it fail
}

export interface Client {
  document: Y.Doc;
  provider: HocuspocusProvider;
  /** Types at the end, one update for each character. */
  type(text: string): void;
  /** How many characters that were. */
  typed(): number;
  text(): string;
  /** Resolves once the server has all that was typed. */
  heard(): Promise<void>;
  leave(): void;
}

/** @param document - of somebody who was there before */
export async function connect(url: string, name = 'notes', document = new Y.Doc()): Promise<Client> {
  const provider = new HocuspocusProvider({ url, name, document });
  onTestFinished(() => provider.destroy());
  const text = document.getText('text');
  let typed = 0;
  await expect.poll(() => provider.isSynced).toBe(true);
  return {
    document,
    provider,
    type: (characters) => {
      for (const one of characters) text.insert(text.length, one);
      typed += characters.length;
    },
    typed: () => typed,
    text: () => text.toString(),
    heard: () => expect.poll(() => provider.hasUnsyncedChanges).toBe(false),
    leave: () => provider.destroy(),
  };
}

/** Once the server has no document in memory. */
export async function unloaded({ server }: Served): Promise<void> {
  await expect.poll(() => server.hocuspocus.getDocumentsCount()).toBe(0);
  await Promise.all(server.hocuspocus.unloadingDocuments.values());
}

/** What another server finds of a document: its text. */
export async function storedText(database: string, name = 'notes'): Promise<string> {
  const served = await serve(database);
  const direct = await served.server.hocuspocus.openDirectConnection(name);
  const text = direct.document?.getText('text').toString() ?? '';
  await direct.disconnect();
  await served.server.destroy();
  return text;
}
