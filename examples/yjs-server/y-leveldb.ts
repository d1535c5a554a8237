/** y-leveldb as the persistence of a server, in the way that y-websocket has it. */
import { LeveldbPersistence } from 'y-leveldb';
import * as Y from 'yjs';

export class YLeveldb {
  readonly provider: LeveldbPersistence;
  readonly #loading = new Map<Y.Doc, Promise<void>>();

  constructor(folder: string) {
    this.provider = new LeveldbPersistence(folder);
  }

  /** Rejects if the database can't be opened. */
  async ready(): Promise<void> {
    if ((await this.provider.getAllDocNames()) === null) throw new Error('y-leveldb can not open its database');
  }

  /** Of a document that is bound already, the same promise. */
  bindState(name: string, doc: Y.Doc): Promise<void> {
    const loading = this.#loading.get(doc) ?? this.#load(name, doc);
    this.#loading.set(doc, loading);
    return loading;
  }

  async #load(name: string, doc: Y.Doc): Promise<void> {
    const stored = await this.provider.getYDoc(name);
    void this.provider.storeUpdate(name, Y.encodeStateAsUpdate(doc));
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(stored));
    doc.on('update', (update) => void this.provider.storeUpdate(name, update));
  }

  async writeState(_name: string, doc: Y.Doc): Promise<void> {
    this.#loading.delete(doc);
  }

  destroy(): Promise<void> {
    return this.provider.destroy();
  }
}
