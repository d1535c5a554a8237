/** Each command once, for people and for programs: its output, its exit code, and what it did. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodeWithoutSqlite } from '../package/a-fresh-machine.ts';
import { command, documentOf } from '../support/command-line.ts';
import { freshFolder, rowsOf } from '../support/files.ts';
import { bytesIn, makeStoreFile, recordsTable } from '../support/store-files.ts';

const bin = join(import.meta.dirname, '../../dist/bin.js');
const names = ['info', 'verify', 'backup', 'restore', 'compact', 'copy', 'schema', 'watch'];

/** A command that ends by itself, on a file that is there. */
function argsOf(name: string): string[] {
  if (name === 'schema') return [name];
  const more = { backup: ['to.db'], restore: ['to.db'], copy: ['to.db'], watch: ['--count', '1'] }[name] ?? [];
  return [name, 'notes.db', ...more];
}

function folderWithFile(): string {
  const folder = freshFolder();
  makeStoreFile(join(folder, 'notes.db'));
  return folder;
}

describe('for people', () => {
  it('restore of a damaged backup: it is refused, and with --no-verify made all the same', async () => {
    const cwd = folderWithFile();
    const bytes = readFileSync(join(cwd, 'notes.db'));
    bytes.fill(0xff, 20_480, 24_576);
    writeFileSync(join(cwd, 'damaged.db'), bytes);
    const refused = await command(['restore', 'damaged.db', 'again.db'], { cwd });
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('without verifying it (--no-verify)'),
    });
    expect(existsSync(join(cwd, 'again.db'))).toBe(false);
    const made = await command(['restore', '--no-verify', 'damaged.db', 'again.db'], { cwd });
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    expect(
      readFileSync(join(cwd, 'again.db'))
        .subarray(20_480, 24_576)
        .every((byte) => byte === 0xff),
    ).toBe(true);
  });

  it('info', async () => {
    const cwd = folderWithFile();
    const { stdout, stderr, exitCode } = await command(['info', 'notes.db'], { cwd });
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect(stdout.split('\n').map((line) => line.replace(/\d{4}-.*Z/, 'TIME'))).toEqual([
      'notes.db',
      '  size      41 kB, of which 0 bytes free',
      '  log       none',
      '  changed   TIME',
      '  values    3, 21 bytes, with 3 references',
      '  stores    2',
      "    'notes': snapshot of 5.0 kB at 10; 30 patches, 3.0 kB, numbers 11 to 40",
      "    'tasks': no snapshot; 30 patches, 3.0 kB, numbers 1 to 30",
      '',
    ]);
  });

  it('verify, with and without something to find', async () => {
    const cwd = folderWithFile();
    const fine = await command(['verify', 'notes.db'], { cwd });
    expect(fine.exitCode).toBe(0);
    expect(fine.stdout).toMatch(/^notes\.db: sound; 41 kB, 60 patches, 3 values \(3 against their hash\), .*\n$/);
    makeStoreFile(join(cwd, 'odd.db'), { sql: "INSERT INTO blobs VALUES ('a', x'00', 0), ('b', x'00', 0)" });
    const odd = await command(['verify', 'odd.db'], { cwd });
    expect(odd.exitCode).toBe(1);
    expect(odd.stdout).toMatch(
      /^odd\.db: 1 finding; .*\n {2}reference-count: value "a" has the reference count 0 \(and 1 more\)\n {4}what to do: .+\n$/,
    );
  });

  it('backup, restore, compact and copy', async () => {
    const cwd = folderWithFile();
    const works = [
      [['backup', 'notes.db', 'saved.db'], /^'notes\.db' backed up to 'saved\.db': 41 kB, .* m?s\n$/],
      [['restore', 'saved.db', 'again.db'], /^'saved\.db' restored to 'again\.db': 41 kB, .* m?s\n$/],
      [['compact', 'again.db'], /^again\.db: 41 kB before, 41 kB after, 0 bytes given back, .* m?s\n$/],
      [
        ['copy', '--store', 'tasks', 'again.db', 'tasks.db'],
        /^'again\.db' copied into 'tasks\.db': 1 store, 0 snapshots, 30 patches, 3 values, .* m?s\n$/,
      ],
    ] as const;
    for (const [args, expected] of works) {
      const { stdout, stderr, exitCode } = await command(args, { cwd });
      expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
      expect(stdout).toMatch(expected);
    }
    expect(rowsOf(join(cwd, 'again.db'))).toEqual(rowsOf(join(cwd, 'notes.db')));
    expect(rowsOf(join(cwd, 'tasks.db')).patches).toHaveLength(30);
  });

  it('records, where there are some', async () => {
    const cwd = freshFolder();
    const sql = `${recordsTable} INSERT INTO sds_records VALUES ('notes', 'a', x'0102'), ('others', 'b', x'03')`;
    makeStoreFile(join(cwd, 'notes.db'), { sql });
    const said = async (...args: string[]) => (await command(args, { cwd })).stdout;
    const lines = (await said('info', 'notes.db')).split('\n');
    expect(lines).toContain('  records   2, 3 bytes');
    expect(lines).toContain(
      "    'notes': snapshot of 5.0 kB at 10; 30 patches, 3.0 kB, numbers 11 to 40; 1 record, 2 bytes",
    );
    expect(lines).toContain("    'others': no snapshot; 0 patches; 1 record, 1 byte");
    expect(await said('verify', 'notes.db')).toMatch(/60 patches, 2 records, 3 values/);
    expect(await said('copy', 'notes.db', 'copy.db')).toMatch(/60 patches, 2 records, 3 values/);
  });

  it('watch, for so many looks', async () => {
    const cwd = folderWithFile();
    const { stdout, exitCode } = await command(['watch', '--count', '2', '--every', '0.01', 'notes.db'], { cwd });
    expect(exitCode).toBe(0);
    const line =
      "\\d\\d:\\d\\d:\\d\\d {2}0 patches/s {2}file 41 kB {2}log 0 bytes {2}free 0 bytes {2}newest: 'notes' 40\n";
    expect(stdout).toMatch(new RegExp(`^notes\\.db\n${line}${line}$`));
  });

  it('watch sees what is written, also through a link to the file', async () => {
    const cwd = freshFolder();
    const file = join(cwd, 'notes.db');
    symlinkSync('notes.db', join(cwd, 'link.db'));
    await using provider = new SDS_DesktopPersistenceProvider(file, 'notes');
    await provider.appendPatch(new Uint8Array(1), 1);
    let isWritten = false;
    const child = spawn(process.execPath, [bin, 'watch', '--every', '0.01', 'link.db'], { cwd });
    onTestFinished(() => void child.kill());
    for await (const line of createInterface({ input: child.stdout })) {
      if (!isWritten && line.includes("newest: 'notes' 1")) {
        await provider.appendPatch(new Uint8Array(1), 2);
        isWritten = true;
      }
      if (line.includes("newest: 'notes' 2")) break; // without the log, it would never come to that
    }
    child.kill();
    await once(child, 'exit');
  });

  it.skipIf(process.platform === 'win32')(
    'watch of a locked file, stopped while it waits for that, is fine',
    async () => {
      const cwd = folderWithFile();
      const owner = new DatabaseSync(join(cwd, 'notes.db'));
      onTestFinished(() => owner.close());
      owner.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
      const preloaded = join(freshFolder(), 'preloaded.cjs');
      // between two attempts to open the file
      writeFileSync(
        preloaded,
        `const { wait } = Atomics;
        if (!require('node:worker_threads').isMainThread) Atomics.wait = (...given) => {
          Atomics.wait = wait;
          process.kill(process.pid, 'SIGINT');
          return wait(...given);
        };`,
      );
      const ended = await command(['watch', 'notes.db'], { cwd, flags: ['--require', preloaded] });
      expect(ended).toMatchObject({ exitCode: 0, signal: null, stderr: '' });
    },
  );

  it('watch does not say how many patches were stored where row numbers begin anew', async () => {
    const cwd = freshFolder();
    await using provider = new SDS_DesktopPersistenceProvider(join(cwd, 'notes.db'), 'notes');
    for (let clock = 1; clock <= 5; clock++) await provider.appendPatch(new Uint8Array(1), clock);
    const child = spawn(process.execPath, [bin, 'watch', '--every', '0.01', 'notes.db'], { cwd });
    onTestFinished(() => void child.kill());
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (lines.length === 1) {
        await provider.compactStore(new Uint8Array(1), await provider.loadStore());
        await provider.appendPatch(new Uint8Array(1), 6);
      }
      lines.push(line);
      if (line.includes("newest: 'notes' 6")) break;
    }
    child.kill();
    await once(child, 'exit');
    expect(lines.filter((line) => line.includes('  ? patches/s'))).toHaveLength(1);
  });

  it('copy names the database that an error is about, if it is not the source, with what to do', async () => {
    const cwd = folderWithFile();
    const url = 'postgres://me@127.0.0.1:1/notes'; // where nothing listens
    const place = "'PostgreSQL database notes on 127.0.0.1:1'";
    const said =
      'the server could not be reached, or was lost (connect ECONNREFUSED 127.0.0.1:1); check the URL and the server, and try again';
    expect((await command(['copy', 'notes.db', url], { cwd })).stderr).toBe(`error: 'notes.db': ${place}: ${said}\n`);
    expect((await command(['copy', url, 'to.db'], { cwd })).stderr).toBe(`error: ${place}: ${said}\n`);
    const { Results } = await documentOf(['copy', 'notes.db', url], { cwd });
    expect(Results[0]?.Error).toEqual({ Code: 'connection-failed', Message: `${place}: ${said}` });
    const { stderr } = await command(['copy', 'notes.db', 'postgres://me@/notes?sslmode=maybe'], { cwd });
    expect(stderr).toMatch(/^error: 'notes\.db': the target: .*sslmode/);
  });

  it.each(names)('%s --quiet says nothing if all is well', async (name) => {
    const cwd = folderWithFile();
    expect(await command([...argsOf(name), '--quiet'], { cwd })).toMatchObject({
      stdout: '',
      stderr: '',
      exitCode: 0,
    });
  });

  it('what a file holds can not write to the terminal', async () => {
    const cwd = freshFolder();
    makeStoreFile(join(cwd, 'a.db'), {
      sql: "INSERT INTO patches VALUES ('\u001b[2Jx' || char(7, 10, 8238) || 'y', 1, x'00'); INSERT INTO blobs VALUES ('\u001b]0;', x'00', 0)",
    });
    for (const name of ['info', 'verify']) {
      const { stdout } = await command([name, 'a.db'], { cwd });
      expect(stdout).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
    }
  });
});

describe('for programs', () => {
  const keys: Record<string, string[]> = {
    info: 'Path Bytes LogBytes IndexBytes ModifiedAt PageBytes Pages FreePages Encoding IsStoreFile Schema NewestPatch Stores Values Records'.split(
      ' ',
    ),
    verify: ['Path', 'Sound', 'Findings', 'Checked', 'DurationMs'],
    backup: ['Path', 'Bytes', 'Pages', 'DurationMs'],
    restore: ['Path', 'Bytes', 'Pages', 'DurationMs'],
    compact: ['Path', 'BytesBefore', 'BytesAfter', 'DurationMs'],
    copy: ['Path', 'Stores', 'Snapshots', 'Patches', 'Records', 'Values', 'LeftOut', 'DurationMs'],
  };

  it.each(Object.entries(keys))('%s --json is one document with these keys', async (name, expected) => {
    const cwd = folderWithFile();
    const { Command, Ok, Results, exitCode } = await documentOf(argsOf(name), { cwd });
    expect({ Command, Ok, exitCode }).toEqual({ Command: name, Ok: true, exitCode: 0 });
    expect(Object.keys(Results[0]?.Result ?? {}).sort()).toEqual([...expected].sort());
  });

  it('schema --json has the same text that is for people', async () => {
    const { Command, Ok, Results, exitCode } = await documentOf(['schema']);
    expect({ Command, Ok, exitCode }).toEqual({ Command: 'schema', Ok: true, exitCode: 0 });
    expect(Results).toEqual([{ Path: '', Ok: true, Result: (await command(['schema'])).stdout }]);
  });

  it('copy --json of several sources has one result, under the names of all of them', async () => {
    const cwd = folderWithFile();
    makeStoreFile(join(cwd, 'other.db'), {
      sql: "UPDATE patches SET store_id = 'other ' || store_id; DELETE FROM snapshots",
    });
    const { Results } = await documentOf(['copy', 'notes.db', 'other.db', 'to.db'], { cwd });
    expect(Results).toMatchObject([{ Path: 'notes.db, other.db', Ok: true, Result: { Stores: 4 } }]);
  });

  it('watch --json has a sample for each look', async () => {
    const cwd = folderWithFile();
    const { Results } = await documentOf(['watch', '--count', '3', '--every', '0.01', 'notes.db'], { cwd });
    expect(Results[0]?.Result).toHaveLength(3);
    expect((Results[0]?.Result as unknown as { Row: number }[] | undefined)?.[2]?.Row).toBe(60);
  });

  it('watch --json writes each sample as it comes, and an error behind them', async () => {
    const cwd = folderWithFile();
    const child = spawn(process.execPath, [bin, 'watch', '--json', '--every', '0.01', 'notes.db'], { cwd });
    onTestFinished(() => void child.kill());
    const closed = once(child, 'close');
    let stdout = '';
    for await (const text of child.stdout.setEncoding('utf8')) {
      stdout += text;
      if (stdout.includes('"At"')) rmSync(join(cwd, 'notes.db'), { force: true });
    }
    expect(await closed).toEqual([1, null]);
    const { Ok, Results } = JSON.parse(stdout);
    expect({ Ok, Results }).toEqual({
      Ok: false,
      Results: [{ Path: 'notes.db', Ok: false, Result: expect.any(Array), Error: expect.any(Object) }],
    });
    expect(Results[0].Result[0].Row).toBe(60);
    expect(Results[0].Error.Code).toBe('open-failed');
  });

  it('an error is in the document, and the exit code 1', async () => {
    const cwd = freshFolder();
    const { Results, exitCode } = await documentOf(['verify', 'missing.db'], { cwd });
    expect(exitCode).toBe(1);
    expect(Results).toEqual([
      { Path: 'missing.db', Ok: false, Error: { Code: 'open-failed', Message: expect.any(String) } },
    ]);
    expect(Results[0]?.Error?.Message).toMatch(
      /^there is no such file or folder \(ENOENT: no such file or directory, \w+ '.*missing\.db'\); check the path$/,
    );
  });
});

describe('help and arguments', () => {
  it('there is a version', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
    expect((await command(['--version'])).stdout).toBe(`${version}\n`);
  });

  it.each(names)('%s has help with examples, and they are no wrong arguments', async (name) => {
    const { stdout, exitCode } = await command([name, '--help']);
    expect(exitCode).toBe(0);
    expect((await command(['--help'])).stdout).toContain(`  ${name} `);
    const examples = [...(stdout.split('Examples:\n')[1] ?? '').matchAll(/^ {2}npx sds-persistence-worker (.*)$/gm)];
    expect(examples.length).toBeGreaterThan(0);
    for (const [, example = ''] of examples) {
      const args = [...example.replace(/ (\|\||>) .*/, '').matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, bare]) => quoted ?? bare ?? '',
      );
      const short = args.map((arg) => arg.replace(/^\/(var|backup)\b/, '/no/such/folder'));
      // the files are not there
      expect((await command(short, { cwd: freshFolder() })).exitCode).toBe(name === 'schema' ? 0 : 1);
    }
  });

  it.each([
    [[]],
    [['no-such-command']],
    [['info']],
    [['info', '--no-such-option', 'a.db']],
    [['backup', 'a.db']],
    [['backup', 'a.db', 'b.db', 'c.db']],
    [['schema', 'a.db']],
    [['watch', '--every', 'x', 'a.db']],
    [['watch', '--every', '3000000', 'a.db']],
    [['watch', '--count', '-1', 'a.db']],
    [['watch', '--count', '2.5', 'a.db']],
    [['info', '']],
    [['__proto__']],
  ])('%j are wrong arguments: exit code 2, one line, nothing made', async (args) => {
    const cwd = freshFolder();
    const { stdout, stderr, exitCode } = await command(args, { cwd });
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 });
    expect(stderr).toMatch(/^wrong arguments: .+\n$/);
    expect(stderr).not.toContain(' ;');
    expect(bytesIn(cwd)).toEqual({});
    // for programs, the same sentence
    const asDocument = await command([...args.slice(0, 1), '--json', ...args.slice(1)], { cwd });
    expect(asDocument).toMatchObject({ stderr: '', exitCode: 2 });
    const [name = ''] = args;
    const { Results, ...others } = JSON.parse(asDocument.stdout);
    expect(others).toEqual({ Command: names.includes(name) ? name : '', Ok: false });
    expect(Results).toMatchObject([{ Path: '', Ok: false, Error: { Code: 'wrong-arguments' } }]);
    if (args.length > 0) expect(stderr).toBe(`wrong arguments: ${Results[0].Error.Message}.\n`);
  });

  it('behind a --, --json is the name of a file: wrong arguments are told in a sentence', async () => {
    const { stdout, stderr, exitCode } = await command(['backup', '--', '--json']);
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 });
    expect(stderr).toBe(
      "wrong arguments: it is: backup SOURCE TARGET; 'npx sds-persistence-worker --help' shows what there is.\n",
    );
  });

  it.each([
    [['backup', 'notes.db', ':memory:'], /: the target must be the path of a file, not a database in memory$/],
    [['copy', 'notes.db', 'notes.db-wal'], /: the target must be the path of a file, not one that may belong to/],
    [['restore', ':memory:', 'notes.db'], /: the source must be the path of a file, not a database in memory$/],
  ])('%s names nothing that the command line does not have', async (args, told) => {
    const { stderr, exitCode } = await command(args, { cwd: folderWithFile() });
    expect(exitCode).toBe(1);
    expect(stderr.trim()).toMatch(told);
  });

  it.each(['info', 'verify', 'backup', 'restore', 'compact', 'watch'])(
    '%s of what is no file names no parameter of a function',
    async (name) => {
      for (const place of ['postgres://me@/notes', ':memory:', 'file:notes.db?vfs=unix-none']) {
        const args = [name, place, ...argsOf(name).slice(2)];
        const { stderr, exitCode } = await command(args, { cwd: folderWithFile() });
        expect(exitCode).toBe(1);
        expect(stderr).toMatch(/^error: '.*': (it|the source) must be the path of a file, not /);
      }
    },
  );

  it('a store whose name is that of an option of a function keeps it', async () => {
    const cwd = freshFolder();
    const sql = "UPDATE patches SET store_id = 'Overwrite' WHERE store_id = 'tasks'";
    for (const name of ['from.db', 'to.db']) makeStoreFile(join(cwd, name), { values: 0, sql });
    const { stderr } = await command(['copy', '--store', 'Overwrite', 'from.db', 'to.db'], { cwd });
    expect(stderr).toMatch(/the store "Overwrite" is there already; .*: --overwrite replaces it\n$/);
  });

  it('a value that begins with a dash: how it is written is told', async () => {
    const { stderr } = await command(['copy', '--store', '-x', 'a.db', 'b.db']);
    expect(stderr).toBe(
      "wrong arguments: Option '--store' argument is ambiguous; use '--store=-XYZ'; 'npx sds-persistence-worker --help' shows what there is.\n",
    );
  });

  it('a Node without SQLite is told what to do, in one sentence', async () => {
    const { stdout, stderr, exitCode } = await command(['info', 'x.db'], { node: nodeWithoutSqlite });
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
    expect(stderr).toMatch(
      /^sds-persistence-worker needs Node 22\.5 or later, .*Node 20\.\d+\.\d+: install a newer one.*\.\n$/,
    );
  });
});
