/** Calls made where the stack is nearly full, as at the end of an endless recursion that the program catches. */
import { expect, it } from 'vitest';
import { freshFile, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

/** `untilFull(left)` recurs until the stack is full, and appends a patch of each size so many levels before that. */
const recursion = (sizes: readonly number[]) => `
  const provider = new SDS_DesktopPersistenceProvider(file, 'store');
  const acknowledged = [];
  let clock = 0;
  let deepest = 0;
  function append(bytes) {
    const number = ++clock;
    provider.appendPatch(bytes, number).then(() => acknowledged.push(number), () => {});
  }
  const patches = ${JSON.stringify(sizes)}.map((size) => new Uint8Array(size));
  function recur(level, from) {
    deepest = level;
    if (level === from) for (const patch of patches) append(patch);
    recur(level + 1, from);
  }
  const caught = (call) => {
    try {
      call();
    } catch {
      // of the stack's end, or what V8 makes of that
    }
  };
  const untilFull = (left) => {
    caught(() => recur(0, Infinity));
    const from = deepest - left;
    caught(() => recur(0, from));
  };`;

it.each([
  ['too large to be shared from the first one on', [17_000]],
  ['of which one goes in a message of its own', [200_000, 100]],
])(
  'patches %s, until the stack is full: what was acknowledged is stored, and so is what is called later',
  async (_, sizes) => {
    const file = freshFile();
    const { stdout } = await runProgram(
      `${recursion(sizes)}
    const other = new SDS_DesktopPersistenceProvider(file, 'other');
    for (let left = 0; left < 400; left += 3) {
      untilFull(left);
      const number = ++clock;
      await Promise.all([provider.appendPatch(patchOf(1), number), other.appendPatch(patchOf(1), number)]);
      acknowledged.push(number);
    }
    await Promise.all([provider.close(), other.close()]);
    console.log(JSON.stringify(acknowledged));`,
      file,
    );
    const stored = new Set(
      rowsOf(file)
        .patches.filter(({ store_id }) => store_id === 'store')
        .map(({ clock }) => clock),
    );
    const acknowledged = JSON.parse(stdout) as number[];
    expect(acknowledged.length).toBeGreaterThan(134);
    expect(acknowledged.filter((clock) => !stored.has(clock))).toEqual([]);
  },
);

it.each(['provider.flush()', 'provider.flushSync(5000)'])(
  '%s behind it, and nothing else, comes to its end',
  async (call) => {
    const { stdout } = await runProgram(
      `for (let left = 0; left < 240; left += 2) {
      ${recursion([17_000])}
      untilFull(left);
      await ${call};
      await provider.close();
    }
    console.log('closed');`,
      freshFile(),
    );
    expect(stdout).toBe('closed\n');
  },
);

it.each([
  ['flushSync', '{}', 'append(large); append(small); append(small); provider.flushSync(5000)'],
  ['flushSync behind a load', '{}', 'load(); append(large); append(small); append(small); provider.flushSync(5000)'],
  ['patches that are held', '{ MaxPendingBytes: 1024 * 1024 }', 'append(large); append(small); append(small)'],
  [
    'patches of which some are refused',
    "{ MaxPendingBytes: 1024 * 1024, Overflow: 'reject' }",
    'for (let count = 0; count < 12; count++) append(medium)',
  ],
])('%s at each depth: every promise is settled, and what was acknowledged is stored', async (_, options, calls) => {
  const file = freshFile();
  const { stdout } = await runProgram(
    `const provider = new SDS_DesktopPersistenceProvider(file, 'store', ${options});
    await provider.ready();
    const large = new Uint8Array(140_000);
    const medium = new Uint8Array(16_000);
    const small = new Uint8Array(50);
    const called = [];
    let clock = 0;
    const append = (patch) => {
      const number = ++clock;
      called[called.length] = [number, provider.appendPatch(patch, number)];
    };
    const load = () => {
      called[called.length] = [0, provider.loadRecords('')];
    };
    let left = 0;
    function recur() {
      try {
        recur();
      } catch {
        try {
          if (left++ < 1500 && left % 5 === 0) { ${calls} }
        } catch {
          // what was not called
        }
        throw new Error('the next level');
      }
    }
    const acknowledged = [];
    for (let round = 0; round < 3; round++) {
      left = 0;
      try {
        recur();
      } catch {
        // of the outermost level
      }
      const outcomes = await Promise.allSettled(called.map(([, promise]) => promise));
      outcomes.forEach(({ status }, index) => {
        if (status === 'fulfilled' && called[index][0] > 0) acknowledged.push(called[index][0]);
      });
      called.length = 0;
    }
    await provider.close();
    console.log(JSON.stringify(acknowledged));`,
    file,
  );
  const stored = new Set(rowsOf(file).patches.map(({ clock }) => clock));
  const acknowledged = JSON.parse(stdout) as number[];
  expect(acknowledged.length).toBeGreaterThan(100);
  expect(acknowledged.filter((clock) => !stored.has(clock))).toEqual([]);
});

it('close() throws there, or closes; called again in peace it has closed', async () => {
  const { stdout } = await runProgram(
    `const open = new SDS_DesktopPersistenceProvider(file, 'stays open');
    const found = new Set();
    for (let round = 0; round < 80; round++) {
      const provider = new SDS_DesktopPersistenceProvider(file, 'store ' + round);
      await provider.ready();
      let levels = round % 40;
      let isCalled = false;
      // closes some levels above the end
      const recur = () => {
        try {
          recur();
        } catch (error) {
          if (levels-- > 0) throw error;
          if (isCalled) return;
          isCalled = true;
          provider.close().catch((reason) => found.add(String(reason)));
        }
      };
      try {
        recur();
      } catch {
        // it was thrown
      }
      await provider.close().catch((reason) => found.add(String(reason)));
      found.add(provider.status);
    }
    console.log(JSON.stringify([...found]));
    await open.close();`,
    freshFile(),
  );
  expect(JSON.parse(stdout)).toEqual(['closed']);
});
