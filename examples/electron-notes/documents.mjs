/** The documents of an Electron application, in its main process: stored as they are changed, and shown by any number of windows. */
import { YjsPersistence } from 'sds-persistence-worker/yjs';
import * as Y from 'yjs';

/**
 * @typedef {(update: Uint8Array) => void} Send - gives a window an update
 * @typedef {{ doc: Y.Doc, loaded: Promise<void>, windows: Map<unknown, Send> }} Open
 */

export class Documents {
  #persistence;
  /** @type {Map<string, Open>} */
  #open = new Map();

  /** @param {string} database - the path of a file, for instance in `app.getPath('userData')` */
  constructor(database) {
    this.#persistence = new YjsPersistence(database, { Y });
  }

  /**
   * A window shows a document from now on.
   *
   * @param {string} name
   * @param {unknown} window - known by its identity
   * @param {Send} send - called with what others change
   * @returns {Promise<Uint8Array>} all of it
   */
  async show(name, window, send) {
    const open = this.#open.get(name) ?? this.#load(name);
    open.windows.set(window, send);
    await open.loaded;
    return Y.encodeStateAsUpdate(open.doc);
  }

  /** @param {string} name */
  #load(name) {
    const doc = new Y.Doc();
    const windows = new Map();
    const open = { doc, loaded: this.#persistence.bindState(name, doc), windows };
    this.#open.set(name, open);
    doc.on('update', (update, origin) => {
      for (const [window, send] of windows) if (window !== origin) send(update);
    });
    open.loaded.catch(() => this.#open.delete(name)); // who shows it hears of it, and may try again
    return open;
  }

  /**
   * A window has changed a document. It is stored within some milliseconds, also if the application ends at once.
   *
   * @param {string} name
   * @param {unknown} window
   * @param {Uint8Array} update
   */
  change(name, window, update) {
    const open = this.#open.get(name);
    if (open !== undefined) Y.applyUpdate(open.doc, update, window);
  }

  /**
   * A window is closed.
   *
   * @param {unknown} window
   */
  async leave(window) {
    for (const [name, { doc, windows }] of [...this.#open]) {
      if (!windows.delete(window) || windows.size > 0) continue;
      this.#open.delete(name);
      await this.#persistence.writeState(name, doc);
      doc.destroy();
    }
  }

  names() {
    return this.#persistence.getAllDocNames();
  }

  /** Before the application ends. */
  close() {
    return this.#persistence.destroy();
  }
}
