/**
 * The demo, `npm start`: an editing session is persisted through this package and through the
 * synchronous provider, restored in a fresh process, and the two sides are set side by side.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ArgumentError, type DemoArguments, help, readArguments } from './arguments.ts';
import { expectedBinaries } from './binaries.ts';
import { startProgress } from './progress.ts';
import { readTrace, TraceError } from './recorded-trace.ts';
import { runSide, SideError, type SideResult } from './run-side.ts';
import type { Session } from './session.ts';
import { type Side, sides, sideTitles } from './sides.ts';
import { printNotes, printTable } from './table.ts';
import { typeSession } from './typist.ts';

const out = join(import.meta.dirname, '..', 'out');

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2));
  if (args.help) {
    console.log(help);
    return 0;
  }
  const session = args.tracePath === undefined ? typeSession(args.seed, args.edits) : readTrace(args.tracePath);
  mkdirSync(out, { recursive: true });
  // both files on the same disk; a system's folder for temporary files is often in memory
  const folder = mkdtempSync(join(args.dbPath === undefined ? out : dirname(args.dbPath), '.demo-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', removeFolder);
  for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
    process.once(signal, () => process.exit(code));
  }
  return report(args, session, await runBoth(args, session, folder));
}

async function runBoth({ dbPath }: DemoArguments, session: Session, folder: string): Promise<Record<Side, SideResult>> {
  const expectedPath = join(folder, 'expected.txt');
  writeFileSync(expectedPath, session.text);
  const binariesPath = join(folder, 'expected.json');
  writeFileSync(binariesPath, JSON.stringify(expectedBinaries(session)));
  const progress = startProgress();
  const run = (side: Side, path: string) =>
    runSide(
      { side, session, dbPath: path, secondDbPath: join(folder, `${side}-2.db`) },
      { expectedPath, binariesPath },
      (stage, share) => progress.show(side, stage, share),
    );
  try {
    // in turn, so that neither takes processor time from the other
    const worker = await run('worker', dbPath ?? join(folder, 'worker.db'));
    const reference = await run('reference', join(folder, 'reference.db'));
    return { worker, reference };
  } finally {
    progress.stop();
  }
}

async function report(args: DemoArguments, session: Session, results: Record<Side, SideResult>): Promise<number> {
  // loaded only now: it takes as long as all the rest of this program
  const { drawPicture } = await import('./picture.ts');
  const svgPath = args.svgPath ?? join(out, 'event-loop-delay.svg');
  writeFileSync(svgPath, drawPicture(session.title, results));
  const differences = sides.flatMap((side) => {
    const { difference } = results[side].restored;
    return difference === undefined ? [] : [`${sideTitles[side]}: ${difference}.`];
  });
  if (args.json) {
    console.log(JSON.stringify(asJson(args, session, results, svgPath), null, 2));
  } else {
    console.log(`\n${session.title}, Node ${process.versions.node}\n`);
    console.log(printTable(results));
    console.log(`\n${printNotes(results)}\n`);
    console.log(`picture: ${relative(process.cwd(), svgPath) || svgPath}`);
    if (args.dbPath !== undefined) console.log(`database: ${args.dbPath}`);
  }
  for (const difference of differences) console.error(difference);
  return differences.length === 0 ? 0 : 1;
}

function asJson(args: DemoArguments, session: Session, results: Record<Side, SideResult>, svgPath: string) {
  return {
    session: {
      title: session.title,
      ...(args.tracePath === undefined ? { seed: args.seed } : { trace: args.tracePath }),
      transactions: session.transactions.length,
      textBytes: Buffer.byteLength(session.text),
    },
    node: process.versions.node,
    picture: svgPath,
    database: args.dbPath ?? null,
    sides: Object.fromEntries(
      sides.map((side) => {
        // the beats are in the picture
        const { beats: _beats, idleBeats: _idleBeats, ...figures } = results[side];
        return [side, figures];
      }),
    ),
  };
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof ArgumentError || error instanceof TraceError) process.exitCode = 2;
  else if (error instanceof SideError) process.exitCode = 1;
  else throw error;
  console.error(error.message);
}
