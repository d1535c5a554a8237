/** A thread without files ends after a while; copies of the module, as tools that reload it make them, leave nothing behind. */
import { expect, it } from 'vitest';
import { freshFile, patchOf, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** `allEnded()` resolves once all workers that were started have ended; the process waits for that. */
const watching = `
const counts = { started: 0, ended: 0 };
let oneEnded = () => {};
const nextEnd = () => stayFor(new Promise((resolve) => { oneEnded = resolve; }));
process.on('worker', (worker) => {
  counts.started++;
  worker.once('exit', () => {
    counts.ended++;
    oneEnded();
  });
});
const allEnded = async () => {
  while (counts.ended < counts.started) await nextEnd();
};`;

it('the worker of files that were all closed ends, and the next file gets another one', async () => {
  const file = freshFile();
  const ended = await runProgram(
    `${watching}
const open = () => new SDS_DesktopPersistenceProvider(file, 'store');
const first = open();
await first.appendPatch(patchOf(1), 1);
await first.close();
const second = open(); // at once: it is the same one
await second.appendPatch(patchOf(2), 2);
await second.close();
await allEnded();
console.log(JSON.stringify(counts));
await using third = open();
console.log((await third.loadPatchesSince(0)).length);
third.appendPatch(patchOf(3), 3).catch(() => {});`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stdout: '{"started":1,"ended":1}\n2\n', stderr: '' });
  expect(rowsOf(file).patches).toHaveLength(3);
});

it('as long as it has a file, or gets one in time, it stays, however long nothing is called', async () => {
  const file = freshFile();
  const ended = await runProgram(
    `${watching}
const open = () => new SDS_DesktopPersistenceProvider(file, 'store');
const first = open();
const closed = new SDS_DesktopPersistenceProvider(file + '.closed', 'store');
await Promise.all([first.ready(), closed.ready()]);
await first.close();
const kept = open();
await kept.ready();
await closed.close(); // two files are on two workers: that of this one ends
while (counts.ended === 0) await nextEnd();
await kept.appendPatch(patchOf(1), 1);
console.log(JSON.stringify(counts));
await kept.close();
await allEnded();`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stdout: '{"started":2,"ended":1}\n', stderr: '' });
});

it('a module that is loaded again and again: one listener of the process, and no thread is left', async () => {
  const file = freshFile();
  const ended = await runProgram(
    `${watching}
const url = import.meta.resolve(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)});
for (let i = 1; i <= 12; i++) {
  const { SDS_DesktopPersistenceProvider: Copy } = await import(url + '?copy=' + i);
  const providers = [1, 2].map((n) => new Copy(file + n, 'store'));
  for (const provider of providers) provider.appendPatch(patchOf(i), i).catch(() => {});
  await Promise.all(providers.map((provider) => provider.close()));
}
console.log(process.listenerCount('exit'), process.listenerCount('beforeExit'));
await allEnded();
console.log(counts.started === counts.ended);`,
    file,
  );
  expect(ended).toMatchObject({ code: 0, stdout: '1 1\ntrue\n', stderr: '' });
  for (const n of [1, 2]) expect(rowsOf(file + n).patches).toHaveLength(12);
});

it('what a worker that has ended was known by is garbage, its memory included', async () => {
  const ended = await runProgram(
    `${watching}
const workers = [];
process.on('worker', (worker) => workers.push(new WeakRef(worker)));
for (let i = 1; i <= 3; i++) {
  const providers = [1, 2].map((n) => new SDS_DesktopPersistenceProvider(file + n, 'store'));
  for (const provider of providers) provider.appendPatch(patchOf(i), i).catch(() => {});
  await Promise.all(providers.map((provider) => provider.close()));
}
await allEnded();
const left = () => workers.filter((worker) => worker.deref() !== undefined).length;
for (let tries = 0; tries < 1500 && left() > 0; tries++) {
  await new Promise((resolve) => setTimeout(resolve, 20)); // what is weak is let go of between two jobs
  gc();
}
console.log(workers.length > 1, left());`, // more than two, if one file is open for so long that the worker of the other one ends
    freshFile(),
    { flags: ['--expose-gc'] },
  );
  expect(ended).toMatchObject({ code: 0, stdout: 'true 0\n', stderr: '' });
});

it.each(['process.exit(3)', 'throw new Error("on purpose")', ''])(
  'what was called on any of the copies is committed at the end of the process: %s',
  async (end) => {
    const file = freshFile();
    const { stderr } = await runProgram(
      `const url = ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
for (let i = 1; i <= 4; i++) {
  const { SDS_DesktopPersistenceProvider: Copy } = await import(url + '?copy=' + i);
  const provider = new Copy(file + i, 'store');
  for (let clock = 1; clock <= 500; clock++) provider.appendPatch(patchOf(clock), clock).catch(() => {});
}
${end}`,
      file,
    );
    expect(stderr.includes('SDS_PersistenceWarning')).toBe(false);
    for (let i = 1; i <= 4; i++) {
      expect(
        rowsOf(file + i)
          .patches.map(({ data }) => String(data))
          .at(-1),
        `copy ${i}`,
      ).toBe(Buffer.from(patchOf(500)).toString('hex'));
    }
  },
);
