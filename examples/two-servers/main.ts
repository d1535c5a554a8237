/** `npm run two-servers`: reads the arguments, plays, prints the table, and leaves nothing behind. */
import { styleText } from 'node:util';
import { ArgumentError, help, readArguments } from './arguments.ts';
import { play } from './play.ts';
import { isAsItHasToBe, tableOf } from './table.ts';

const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2));
  if (args === undefined) {
    console.log(help);
    return 0;
  }
  const undoing: (() => Promise<void>)[] = [];
  const start = performance.now();
  let silent = false;
  const say = (text: string) => {
    const seconds = (performance.now() - start) / 1000;
    if (!silent) console.log(`${seconds.toFixed(1).padStart(5)} s  ${text}`);
  };
  const interrupted = new Promise<number>((resolve) => {
    for (const [signal, code] of Object.entries(signals)) {
      process.once(signal, () => {
        say(`${signal}: all is stopped and removed ...`);
        silent = true;
        resolve(code);
      });
    }
  });
  try {
    const result = await Promise.race([play(args, { say, undo: (step) => undoing.push(step) }), interrupted]);
    if (typeof result === 'number') return result;
    const good = isAsItHasToBe(result);
    console.log(`\n${tableOf(result)}\n`);
    console.log(
      good
        ? styleText('green', 'Nothing was lost, and each document is the same everywhere, byte for byte.')
        : styleText('red', 'Something is not as it has to be.'),
    );
    return good ? 0 : 1;
  } finally {
    // what was interrupted may go on a little, and add to it
    for (let step = undoing.pop(); step !== undefined; step = undoing.pop()) await step();
  }
}

try {
  // what was interrupted may still wait for something
  process.exit(await main());
} catch (error) {
  console.error(error instanceof ArgumentError || !(error instanceof Error) ? String(error) : error.message);
  process.exit(error instanceof ArgumentError ? 2 : 1);
}
