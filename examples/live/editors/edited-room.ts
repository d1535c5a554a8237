/**
 * A room on one server as its simulated editors see it. They share one copy of the document (a copy
 * each, for a thousand of them, would keep this process busier than the servers), but each has a
 * connection and a name of its own, and hears all that is passed on to it.
 */
import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { createEncoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { DOCUMENT_TEXT } from '../protocol/control.ts';
import {
  encodeAwareness,
  encodeSync,
  holdsUpdates,
  MESSAGE_PROGRESS,
  MESSAGE_SYNC,
  readProgress,
  SYNC_MISSING,
  SYNC_STATE,
  SYNC_UPDATE,
} from '../protocol/messages.ts';
import type { KeyPress } from './script.ts';

const RETRY_AFTER_MS = 250;
const CURSOR_EVERY = 4;

interface Editor {
  clientId: number;
  name: string;
  color: string;
  socket: WebSocket | undefined;
  nextTry: number;
  /** Its passage: from where to where in the text. */
  start: number;
  cursor: number;
  placed: boolean;
  keys: number;
  cursorClock: number;
  /** Of each message with updates on this connection: this editor's clock in it; how many are known to be durable. */
  sent: number[];
  durableMessages: number;
  /** Up to which of its characters the server has said that they are durable. */
  durableClock: number;
}

export interface Comparison {
  editors: number;
  acknowledged: number;
  missing: number;
}

export class EditedRoom {
  readonly name: string;
  readonly #showsCursors: boolean;
  readonly #doc = new Y.Doc();
  readonly #text = this.#doc.getText(DOCUMENT_TEXT);
  readonly #editors: Editor[] = [];
  /** The one whose connection keeps the shared copy up to date. */
  #leader: Editor | undefined;
  #address: string | undefined;
  #interrupted = false;
  /** What was found when the server had come back; taken by whoever reports it. */
  comparison: Comparison | undefined;

  constructor(name: string, showsCursors: boolean) {
    this.name = name;
    this.#showsCursors = showsCursors;
    this.#doc.on('update', (update: Uint8Array, author: unknown) => {
      const editor = this.#editors.find((one) => one === author);
      if (editor !== undefined) this.#send(editor, encodeSync(SYNC_UPDATE, update));
    });
    this.#text.observe(({ delta }) => this.#shift(delta));
  }

  get size(): number {
    return this.#editors.length;
  }

  get connected(): number {
    return this.#editors.filter(({ socket }) => socket?.readyState === WebSocket.OPEN).length;
  }

  /** Whether a server that went away has not been compared with yet. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** From now on there are as many editors, on the server at this address; undefined while it is down. */
  resize(editors: number, address: string | undefined): void {
    this.#address = address;
    while (this.#editors.length > editors) this.#leave();
    while (this.#editors.length < editors) this.#editors.push(newEditor(this.#editors.length));
  }

  /** Opens up to so many connections; returns how many. */
  connect(most: number): number {
    if (this.#address === undefined) return 0;
    let opened = 0;
    const now = performance.now();
    for (const editor of this.#editors) {
      if (opened === most) break;
      if (editor.socket !== undefined || editor.nextTry > now) continue;
      this.#open(editor, this.#address);
      opened++;
    }
    return opened;
  }

  #open(editor: Editor, address: string): void {
    const socket = new WebSocket(`${address}/${this.name}`, { perMessageDeflate: false });
    editor.socket = socket;
    editor.sent = [];
    editor.durableMessages = 0;
    socket.on('open', () => {
      socket.send(encodeSync(SYNC_STATE, Y.encodeStateVector(this.#doc)));
      this.#leader ??= editor;
    });
    socket.on('message', (data: Buffer) => this.#receive(editor, data));
    // a refused connection and a lost one both end in 'close'
    socket.on('error', () => this.#interrupt(editor));
    socket.on('close', () => {
      if (editor.socket !== socket) return;
      this.#interrupt(editor);
      editor.socket = undefined;
      editor.nextTry = performance.now() + RETRY_AFTER_MS;
      if (this.#leader === editor) this.#newLeader();
    });
  }

  #interrupt(editor: Editor): void {
    if (editor.durableClock > 0) this.#interrupted = true;
  }

  #newLeader(): void {
    this.#leader = this.#editors.find(({ socket }) => socket?.readyState === WebSocket.OPEN);
    // it has heard what was passed on, but nobody has listened
    this.#leader?.socket?.send(encodeSync(SYNC_STATE, Y.encodeStateVector(this.#doc)));
  }

  #receive(editor: Editor, message: Buffer): void {
    const decoder = createDecoder(message);
    const kind = readVarUint(decoder);
    if (kind === MESSAGE_PROGRESS) {
      const { durable } = readProgress(decoder);
      const clock = editor.sent[durable - editor.durableMessages - 1];
      if (clock === undefined) return;
      editor.durableClock = Math.max(editor.durableClock, clock);
      editor.sent.splice(0, durable - editor.durableMessages);
      editor.durableMessages = durable;
      return;
    }
    if (kind !== MESSAGE_SYNC) return;
    if (readVarUint(decoder) !== SYNC_STATE) {
      if (editor === this.#leader || !editor.placed) Y.applyUpdate(this.#doc, readVarUint8Array(decoder));
      if (!editor.placed) this.#place(editor);
      return;
    }
    const state = readVarUint8Array(decoder);
    if (this.#interrupted) this.#compare(Y.decodeStateVector(state));
    const missing = Y.encodeStateAsUpdate(this.#doc, state);
    this.#send(editor, encodeSync(SYNC_MISSING, missing));
  }

  /** The server tells what it has read from its file, before anybody sends it anything anew. */
  #compare(found: Map<number, number>): void {
    this.#interrupted = false;
    const comparison = { editors: 0, acknowledged: 0, missing: 0 };
    for (const { clientId, durableClock } of this.#editors) {
      comparison.editors++;
      comparison.acknowledged += durableClock;
      comparison.missing += Math.max(0, durableClock - (found.get(clientId) ?? 0));
    }
    this.comparison = comparison;
  }

  #place(editor: Editor): void {
    const end = this.#text.length;
    this.#edit(editor, () => this.#text.insert(end, '\n\n'));
    editor.placed = true;
    editor.start = end + 1;
    editor.cursor = end + 1;
  }

  /** Whether an editor is connected and has found its place in the text. */
  ready(index: number): boolean {
    const editor = this.#editors[index];
    return editor?.placed === true && editor.socket?.readyState === WebSocket.OPEN;
  }

  press(index: number, key: KeyPress): boolean {
    const editor = this.#editors[index];
    if (editor === undefined || !this.ready(index)) return false;
    editor.keys++;
    this.#edit(editor, () => {
      if (key === 'delete my passage') this.#text.delete(editor.start, editor.cursor - editor.start);
      else this.#text.insert(editor.cursor, key.insert);
    });
    if (this.#showsCursors && editor.keys % CURSOR_EVERY === 1) this.#showCursor(editor);
    return true;
  }

  #edit(editor: Editor, change: () => void): void {
    const own = this.#doc.clientID;
    this.#doc.clientID = editor.clientId;
    try {
      this.#doc.transact(change, editor);
    } finally {
      this.#doc.clientID = own;
    }
  }

  /** Keeps each editor where it is while the text changes around it. */
  #shift(delta: Y.YTextEvent['delta']): void {
    let at = 0;
    for (const { retain = 0, insert, delete: deleted = 0 } of delta) {
      at += retain;
      const inserted = typeof insert === 'string' ? insert.length : 0;
      for (const editor of this.#editors) {
        editor.start = shifted(editor.start, at, inserted, deleted, false);
        // what is typed at a cursor is behind it afterwards
        editor.cursor = shifted(editor.cursor, at, inserted, deleted, true);
      }
      at += inserted;
    }
  }

  #showCursor(editor: Editor): void {
    editor.cursorClock++;
    const at = Y.createRelativePositionFromTypeIndex(this.#text, Math.min(editor.cursor, this.#text.length));
    const { name, color } = editor;
    const cursor = { anchor: at, head: at };
    const encoder = createEncoder();
    writeVarUint(encoder, 1);
    writeVarUint(encoder, editor.clientId);
    writeVarUint(encoder, editor.cursorClock);
    writeVarString(encoder, JSON.stringify({ user: { name, color, colorLight: `${color}33` }, cursor }));
    this.#send(editor, encodeAwareness(toUint8Array(encoder)));
  }

  #send(editor: Editor, message: Uint8Array): void {
    if (editor.socket?.readyState !== WebSocket.OPEN) return;
    if (holdsUpdates(message)) editor.sent.push(Y.getState(this.#doc.store, editor.clientId));
    editor.socket.send(message);
  }

  #leave(): void {
    const editor = this.#editors.at(-1);
    if (editor === undefined) return;
    const { socket } = editor;
    if (socket?.readyState === WebSocket.OPEN && editor.placed) {
      // with the two line ends that it came with
      const from = Math.max(0, editor.start - 1);
      const length = Math.min(editor.cursor + 1, this.#text.length) - from;
      this.#edit(editor, () => this.#text.delete(from, length));
    }
    this.#editors.pop();
    editor.socket = undefined;
    if (this.#leader === editor) this.#newLeader();
    socket?.close();
  }

  close(): void {
    this.resize(0, this.#address);
    this.#doc.destroy();
  }
}

const names = ['Ada', 'Grace', 'Linus', 'Edsger', 'Barbara', 'Ken', 'Margaret', 'Dennis', 'Radia', 'Tim'];
const colors = ['#c2410c', '#0e7490', '#7c3aed', '#be185d', '#4d7c0f'];

function newEditor(index: number): Editor {
  return {
    clientId: 1 + Math.floor(Math.random() * 0xffff_fffe),
    name: names[index % names.length] ?? 'Ada',
    color: colors[index % colors.length] ?? '#0e7490',
    socket: undefined,
    nextTry: 0,
    start: 0,
    cursor: 0,
    placed: false,
    keys: 0,
    cursorClock: 0,
    sent: [],
    durableMessages: 0,
    durableClock: 0,
  };
}

function shifted(position: number, at: number, inserted: number, deleted: number, moves: boolean): number {
  if (at > position || (at === position && !moves && deleted === 0)) return position;
  return Math.max(at, position - deleted) + inserted;
}
