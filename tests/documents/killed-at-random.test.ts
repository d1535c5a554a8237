/** SIGKILL at random moments of appends and compactions, and merging threads that are ended: what is restored is what was typed, up to what was acknowledged at least. */
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { randomOf } from '../support/random.ts';
import { runEditor, storedText } from './documents.ts';

/** Types the numbers from what it finds on; says up to which one all is stored. */
const typist = (mergedFor: number) => `
process.on('worker', (worker) => {
  if (worker.threadName !== 'sds-merging' || ${mergedFor} === 0) return;
  worker.once('online', () => setTimeout(() => worker.terminate(), Math.random() * ${mergedFor}));
});
const persistence = new YjsPersistence(file, { Y, onError: () => {} });
const doc = new Y.Doc();
await persistence.bindState('notes', doc);
const text = doc.getText('text');
let next = text.toString().split(' ').length;
for (;;) {
  for (let burst = 0; burst < 40; burst++) text.insert(text.length, next++ + ' ');
  await persistence.storeUpdate('behind', new Uint8Array([0, 0]));
  console.log(next - 1);
}`;

const RUNS = 6;

it(`killed ${RUNS} times while it goes on with one document`, async () => {
  const random = randomOf(20_261_126);
  const file = freshFile();
  let typed = 0;
  for (let run = 0; run < RUNS; run++) {
    const until = random(60);
    const after = random(15);
    let isKilled = false;
    const { signal, stdout, stderr } = await runEditor(typist(run % 2 === 0 ? 0 : 80), file, {
      onOutput: (output, kill) => {
        if (isKilled || output.split('\n').length <= until) return;
        isKilled = true;
        setTimeout(() => kill('SIGKILL'), after);
      },
    });
    expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
    const acknowledged = Number(stdout.trim().split('\n').at(-1));
    const stored = (await storedText(file)).trimEnd().split(' ').map(Number);
    expect(stored).toEqual(Array.from(stored, (_, index) => index + 1));
    expect(stored.length).toBeGreaterThanOrEqual(acknowledged);
    expect(acknowledged).toBeGreaterThan(typed);
    typed = acknowledged;
  }
});
