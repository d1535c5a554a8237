/** A path of which the system will not even tell what is there: its provider can't be opened, and no other notices. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshFolder, rowsOf } from '../support/files.ts';
import { runProgram } from '../support/programs.ts';

interface Case {
  what: string;
  /** The system's code, as the cause has it. */
  code: string;
  /** Makes what is in the way; returns the path. */
  make: (folder: string) => string;
  /** Where the whole program has to have less rights than root. */
  asNobody?: boolean;
}

const packageFolder = join(import.meta.dirname, '../..');

const cases: Case[] = [
  { what: 'its name is too long', code: 'ENAMETOOLONG', make: (folder) => join(folder, `${'n'.repeat(300)}.db`) },
  {
    what: 'it has more folders than a path can have',
    code: 'ENAMETOOLONG',
    make: (folder) => join(folder, 'n/'.repeat(50_000), 'store.db'),
  },
  {
    what: 'links lead in a circle',
    code: 'ELOOP',
    make(folder) {
      symlinkSync(join(folder, 'two'), join(folder, 'one'));
      symlinkSync(join(folder, 'one'), join(folder, 'two'));
      return join(folder, 'one', 'store.db');
    },
  },
  {
    what: 'its folder may not be entered',
    code: 'EACCES',
    asNobody: true,
    make(folder) {
      mkdirSync(join(folder, 'locked'), { mode: 0 });
      return join(folder, 'locked', 'store.db');
    },
  },
];

/** Nine files that are written on the one worker, while a tenth can't be opened. */
const nineOthers = (bad: string, asNobody = false) => `
  import { join, dirname } from 'node:path';
  process.env.SDS_PERSISTENCE_WORKERS = '1';
  ${asNobody ? 'if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }' : ''}
  let workers = 0;
  process.on('worker', () => workers++);
  const others = Array.from({ length: 9 }, (_, i) => new SDS_DesktopPersistenceProvider(join(file, i + '.db'), 'store'));
  let clock = 0;
  let written = 0;
  const write = () => {
    clock++;
    return others.map((other) => other.appendPatch(patchOf(clock), clock).then(() => written++));
  };
  await Promise.all(write());
  const bad = new SDS_DesktopPersistenceProvider(${JSON.stringify(bad)}, 'store');
  const told = {};
  const calls = {
    ready: () => bad.ready(),
    appendPatch: () => bad.appendPatch(patchOf(1), 1),
    saveSnapshot: () => bad.saveSnapshot(new Uint8Array(300_000), 1),
    loadSnapshot: () => bad.loadSnapshot(),
  };
  for (const [name, call] of Object.entries(calls)) {
    const appended = write();
    told[name] = await call().then(() => 'done', (error) => [error.code, error.cause?.code ?? error.cause?.message]);
    await Promise.all(appended);
  }
  await bad.close();
  const loaded = await Promise.all(others.map((other) => other.loadPatchesSince(0)));
  await Promise.all(others.map((other) => other.close()));
  console.log(JSON.stringify({ told, workers, written, loaded: loaded.map(({ length }) => length) }));`;

const untouched = { workers: 1, written: 45, loaded: Array(9).fill(5) };

describe.skipIf(process.platform === 'win32')('a file that can not be looked at', () => {
  for (const { what, code, make, asNobody } of cases) {
    it(`can not be opened, says why, and is nobody else's business: ${what}`, async () => {
      const folder = freshFolder();
      chmodSync(folder, 0o777);
      const bad = make(folder);
      const { stdout, stderr } = await runProgram(nineOthers(bad, asNobody), folder);
      expect(stderr).toBe('');
      const { told, ...others } = JSON.parse(stdout) as { told: Record<string, unknown> };
      expect(others).toEqual(untouched);
      const why = ['open-failed', code];
      expect(told).toEqual({ ready: why, appendPatch: why, saveSnapshot: why, loadSnapshot: why });
      if (asNobody) chmodSync(dirname(bad), 0o700);
    });
  }

  it.skipIf(process.getuid?.() !== 0)(
    'goes on being served if the process gives up the right to enter its folder',
    async () => {
      const folder = freshFolder(); // which its owner alone may enter
      const { stdout, stderr } = await runProgram(
        `const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.appendPatch(patchOf(1), 1);
      process.setgid(65534);
      process.setuid(65534);
      await provider.appendPatch(patchOf(2), 2);
      console.log((await provider.loadPatchesSince(0)).length);
      await provider.close();`,
        join(folder, 'store.db'),
      );
      expect({ stdout, stderr }).toEqual({ stdout: '2\n', stderr: '' });
      expect(rowsOf(join(folder, 'store.db')).patches).toHaveLength(2);
    },
  );

  it("is one that Node's permission model does not allow", async () => {
    const [folder, elsewhere] = [freshFolder(), freshFolder()];
    writeFileSync(join(elsewhere, 'not-ours.db'), '');
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    const flags = [
      major > 23 || (major === 23 && minor >= 5) ? '--permission' : '--experimental-permission',
      '--allow-worker',
      '--disable-warning=SecurityWarning',
      '--disable-warning=ExperimentalWarning',
      `--allow-fs-read=${packageFolder}/*`,
      `--allow-fs-read=${folder}/*`,
      `--allow-fs-write=${folder}/*`,
    ];
    const program = nineOthers(join(elsewhere, 'not-ours.db'));
    const { stdout, stderr } = await runProgram(program, folder, { flags, folder });
    expect(stderr).toBe('');
    const { told, ...others } = JSON.parse(stdout) as { told: Record<string, [string, string]> };
    expect(others).toEqual(untouched);
    for (const [call, [code]] of Object.entries(told)) expect(code, call).toBe('open-failed');
  });
});
