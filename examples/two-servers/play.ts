/** What happens: people type on two servers, one of them goes away in mid-typing, and all is compared at the end. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import * as Y from 'yjs';
import type { PlayArguments } from './arguments.ts';
import { compare } from './compare.ts';
import { startDatabase } from './database.ts';
import { Editor } from './editor.ts';
import { serversFor } from './placement.ts';
import { loadDocument } from './server/stored-document.ts';
import { ServerProcess } from './server-process.ts';

const SILENCE_MS = 500;
const KEY_MS = 10;

export interface Result {
  documents: number;
  /** Of the server that went away. */
  movedDocuments: number;
  editors: number;
  typed: number;
  acknowledged: number;
  sentAgain: number;
  lost: number;
  /** Documents of which some copy is not what is in the database. */
  different: number;
  /** From the moment one server went away until the other served the first and the last of its documents. */
  firstServedMs: number;
  lastServedMs: number;
  /** Writes that the server tried when it came back, by the code of the error; undefined if it did not come back. */
  late: ReadonlyMap<string, number> | undefined;
}

interface Stage {
  say(text: string): void;
  /** What undoes a step, last first, however the run ends. */
  undo(step: () => Promise<void>): void;
}

interface Group {
  document: string;
  editors: Editor[];
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
    const editors = Array.from({ length: args.editors }, () => new Editor(document, order, SILENCE_MS));
    undo(async () => {
      for (const editor of editors) editor.close();
    });
    groups.push({ document, editors });
  }
  const everybody = groups.flatMap(({ editors }) => editors);
  await Promise.all(everybody.map((editor) => editor.until(() => editor.servedBy !== undefined)));

  // the one that has the first document; with more than a few, each has some
  const [leaving, staying] = groups[0]?.editors[0]?.servedBy === 'east' ? [east, west] : [west, east];
  const moving = groups.filter(({ editors }) => editors[0]?.servedBy === leaving.name);
  say(
    `${everybody.length} people type in ${groups.length} documents: ${moving.length} are on ${leaving.name}, ${groups.length - moving.length} on ${staying.name}.`,
  );
  const typing = typeAll(everybody, args.edits);
  await typing.half;

  leaving.signal(args.pause ? 'SIGSTOP' : 'SIGKILL');
  const since = performance.now();
  say(`${leaving.name} is ${args.pause ? 'stopped' : 'killed'} in mid-typing.`);
  const served = await Promise.all(
    moving.flatMap(({ editors }) =>
      editors.map(async (editor) => {
        await editor.until(() => editor.servedBy === staying.name);
        return performance.now() - since;
      }),
    ),
  );
  say(`${staying.name} has all documents.`);
  if (args.pause) {
    leaving.signal('SIGCONT');
    await leaving.withoutAll(moving.map(({ document }) => document));
    say(`${leaving.name} went on, and has found out.`);
  }

  await typing.done;
  await Promise.all(everybody.map((editor) => editor.until(() => editor.allAcknowledged)));
  await Promise.all(everybody.map((editor) => editor.caughtUp()));
  for (const editor of everybody) editor.close();
  await staying.stop();
  if (args.pause) await leaving.stop();
  say('All servers are stopped. The documents are read from the database ...');

  const compared = await Promise.all(groups.map((group) => compareWithDatabase(group, databaseUrl)));
  const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
  return {
    documents: groups.length,
    movedDocuments: moving.length,
    editors: everybody.length,
    typed: sum(everybody.map(({ typed }) => typed)),
    acknowledged: sum(everybody.map(({ acknowledged }) => acknowledged.length)),
    sentAgain: sum(everybody.map(({ sentAgain }) => sentAgain)),
    lost: sum(compared.map(({ lost }) => lost)),
    different: compared.filter(({ same }) => !same).length,
    firstServedMs: Math.min(...served),
    lastServedMs: Math.max(...served),
    late: args.pause ? leaving.refused : undefined,
  };
}

/** Everybody presses a key every so often, whether a server is there or not. */
function typeAll(editors: readonly Editor[], edits: number): { half: Promise<void>; done: Promise<void> } {
  const half = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  let round = 0;
  const timer = setInterval(() => {
    for (const { text } of editors) {
      if (round % 4 === 3) text.delete(Math.floor(Math.random() * (text.length - 1)), 1);
      else text.insert(Math.floor(Math.random() * (text.length + 1)), `${(round % 36).toString(36)} `);
    }
    round++;
    if (round >= edits / 2) half.resolve();
    if (round < edits) return;
    clearInterval(timer);
    done.resolve();
  }, KEY_MS);
  return { half: half.promise, done: done.promise };
}

async function compareWithDatabase({ document, editors }: Group, databaseUrl: string) {
  const provider = new SDS_DesktopPersistenceProvider(databaseUrl, document);
  try {
    const { doc } = await loadDocument(provider);
    return compare(
      doc,
      editors.map((editor) => ({ state: Y.encodeStateAsUpdate(editor.doc), acknowledged: editor.acknowledged })),
    );
  } finally {
    await provider.close();
  }
}
