/** What happens: people type on two servers, one of them goes away in mid-typing, and all is compared at the end. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import * as Y from 'yjs';
import type { PlayArguments } from './arguments.ts';
import { compare, numbersAstray } from './compare.ts';
import { startDatabase } from './database.ts';
import { Editor } from './editor.ts';
import { serversFor } from './placement.ts';
import { loadDocument } from './server/stored-document.ts';
import { ServerProcess } from './server-process.ts';

const KEY_MS = 20;
const FOREVER_MS = 2 ** 31 - 1;
/** For one step; what takes longer does not come any more. */
const PATIENCE_MS = 60_000;

export interface Result {
  documents: number;
  /** Of the server that went away. */
  movedDocuments: number;
  editors: number;
  typed: number;
  acknowledged: number;
  /** While no server had the document. */
  typedAlone: number;
  sentAgain: number;
  lost: number;
  /** Documents of which some copy is not what is in the database. */
  different: number;
  /** From the moment one server went away until the other served the first and the last of its documents. */
  firstServedMs: number;
  lastServedMs: number;
  /** What the server tried to write when it had come back; undefined if it did not. */
  late: Late | undefined;
}

interface Late {
  /** By the code of the error. */
  refused: ReadonlyMap<string, number>;
  /** Numbers of patches that were given by both servers, or that no server knows of. */
  stored: number;
}

interface Stage {
  say(text: string): void;
  /** What undoes a step, last first, however the run ends. */
  undo(step: () => Promise<void>): void;
}

interface Group {
  document: string;
  editors: Editor[];
  /** Beside them: one that stays with a server for as long as its connection stands, however silent it is. */
  stubborn: Editor[];
}

export async function play(args: PlayArguments, { say, undo }: Stage): Promise<Result> {
  const databaseUrl = await startDatabase(undo);
  say('PostgreSQL is started.');
  const start = (name: string) => ServerProcess.start(name, databaseUrl, args.leaseMs, undo);
  const [east, west] = await Promise.all([start('east'), start('west')]);

  const groups: Group[] = [];
  for (let index = 1; index <= args.documents; index++) {
    const document = `document-${index}`;
    const order = serversFor(document, [east, west]);
    const editors = Array.from({ length: args.editors }, () => new Editor(document, order, args.leaseMs / 2));
    const stubborn = args.pause ? [new Editor(document, order, FOREVER_MS)] : [];
    undo(async () => {
      for (const editor of [...editors, ...stubborn]) editor.close();
    });
    groups.push({ document, editors, stubborn });
  }
  const everybody = groups.flatMap(({ editors, stubborn }) => [...editors, ...stubborn]);
  const allServed = () => Promise.all(everybody.map((editor) => editor.until(() => editor.servedBy !== undefined)));
  await patiently('served all documents', allServed());

  say(`${everybody.length} people type in ${groups.length} documents.`);
  const typing = new Typing(everybody);
  await typing.rounds(args.edits);

  await patiently('served all documents', allServed());
  const [leaving, staying] = east.present.length > west.present.length ? [east, west] : [west, east];
  const stays = leaving.present;
  leaving.signal(args.pause ? 'SIGSTOP' : 'SIGKILL');
  const since = performance.now();
  const moving = groups.filter((group) => stays.some(({ document }) => document === group.document));
  say(`${leaving.name} is ${args.pause ? 'stopped' : 'killed'} in mid-typing, with ${moving.length} of the documents.`);
  const moved = moving
    .flatMap(({ editors }) => editors)
    .map(async (editor) => {
      await editor.until(() => editor.servedBy === staying.name);
      return performance.now() - since;
    });
  const movedAfter = await patiently('served the documents of the other server', Promise.all(moved));
  say(`${staying.name} has all documents.`);
  if (args.pause) {
    leaving.signal('SIGCONT');
    const ended = Promise.all(stays.map(({ ended }) => ended));
    await patiently('found out that its documents are elsewhere', ended);
    say(`${leaving.name} went on, and has found out.`);
  }

  await typing.rounds(args.edits);
  typing.stop();
  const acknowledged = everybody.map((editor) => editor.until(() => editor.allAcknowledged));
  await patiently('acknowledged all edits', Promise.all(acknowledged));
  await patiently('sent all edits', Promise.all(everybody.map((editor) => editor.caughtUp())));
  for (const editor of everybody) editor.close();
  await staying.stop();
  if (args.pause) await leaving.stop();
  say('All servers are stopped. The documents are read from the database ...');

  const compared = await Promise.all(groups.map((group) => compareWithDatabase(group, databaseUrl)));
  const staysOf = (name: string) => [...east.stays, ...west.stays].filter(({ document }) => document === name);
  const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
  return {
    documents: groups.length,
    movedDocuments: moving.length,
    editors: everybody.length,
    typed: sum(everybody.map(({ typed }) => typed)),
    acknowledged: sum(everybody.map(({ acknowledged }) => acknowledged.length)),
    typedAlone: sum(everybody.map(({ typedAlone }) => typedAlone)),
    sentAgain: sum(everybody.map(({ sentAgain }) => sentAgain)),
    lost: sum(compared.map(({ lost }) => lost)),
    different: compared.filter(({ same }) => !same).length,
    firstServedMs: Math.min(...movedAfter),
    lastServedMs: Math.max(...movedAfter),
    late: args.pause
      ? {
          refused: leaving.refused,
          stored: sum(compared.map(({ document, clock }) => numbersAstray(staysOf(document), clock))),
        }
      : undefined,
  };
}

async function patiently<T>(what: string, step: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    const sentence = `No server ${what} within ${PATIENCE_MS / 1000} s.`;
    timer = setTimeout(() => reject(new Error(sentence)), PATIENCE_MS);
  });
  try {
    return await Promise.race([step, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

/** Everybody presses a key every so often, one after the other, whether a server is there or not. */
class Typing {
  readonly #timer: NodeJS.Timeout;
  readonly #start = performance.now();
  #typed = 0;
  #waiting: { typed: number; tell: () => void }[] = [];
  readonly #editors: readonly Editor[];

  constructor(editors: readonly Editor[]) {
    this.#editors = editors;
    // often, and a little each time: whenever a server is killed, there are edits at every stage of their way
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#start) / KEY_MS) * editors.length;
      while (this.#typed < due) this.#type();
      for (const { typed, tell } of this.#waiting) if (typed <= this.#typed) tell();
      this.#waiting = this.#waiting.filter(({ typed }) => typed > this.#typed);
    }, 1);
  }

  #type(): void {
    const round = Math.floor(this.#typed / this.#editors.length);
    // the index is below the length
    const { text } = this.#editors[this.#typed++ % this.#editors.length] as Editor;
    if (round % 4 === 3) text.delete(Math.floor(Math.random() * (text.length - 1)), 1);
    else text.insert(Math.floor(Math.random() * (text.length + 1)), `${(round % 36).toString(36)} `);
  }

  /** Once everybody has made so many more edits. */
  rounds(count: number): Promise<void> {
    const typed = this.#typed + count * this.#editors.length;
    return new Promise((tell) => this.#waiting.push({ typed, tell }));
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

async function compareWithDatabase({ document, editors, stubborn }: Group, databaseUrl: string) {
  const provider = new SDS_DesktopPersistenceProvider(databaseUrl, document);
  try {
    const { doc, clock } = await loadDocument(provider);
    const copies = [...editors, ...stubborn].map(({ doc, acknowledged }) => ({
      state: Y.encodeStateAsUpdate(doc),
      acknowledged,
    }));
    return { document, clock, ...compare(doc, copies) };
  } finally {
    await provider.close();
  }
}
