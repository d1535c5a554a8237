/**
 * Files from strangers: each is opened in a child process, which must answer with error codes or the
 * right data, never crash or hang. A file of another shape is left untouched, byte for byte. Where
 * bits of pages flip, SQLite can't tell flipped bytes of a patch from right ones: what is checked then
 * is that what comes back has the length of what was stored and differs in no more bits than flipped.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { otherSchemas, soundSchemas } from './hostile-schemas.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, withFolder, within } from './rig.ts';

interface Reply {
  codes: (string | undefined)[];
  read: { snapshot?: string; patches?: string[]; value?: string; records?: string[] };
}

const child = join(import.meta.dirname, 'children', 'opening-hostile-files.ts');
const stored = {
  snapshot: 'aa'.repeat(5000),
  patches: Array.from({ length: 40 }, (_, i) => `${10 + i}`.repeat(50 + i)),
  value: 'bb'.repeat(900),
  records: Array.from({ length: 20 }, (_, i) => `record ${(i * 7) % 20} ${`${10 + i}`.repeat(40 + i)}`),
};

/** A child process that is used again for as long as it lives. */
class Opener {
  #process: ChildProcessWithoutNullStreams | undefined;
  #lines: Interface | undefined;
  #ended: Promise<never> | undefined;

  async open(dbPath: string): Promise<Reply> {
    if (this.#process === undefined) {
      this.#process = spawn(process.execPath, [child]);
      this.#process.stderr.resume();
      this.#lines = createInterface({ input: this.#process.stdout });
      this.#ended = once(this.#process, 'exit').then(([code, signal]) => {
        throw new Error(`the process ended with ${String(signal ?? code)}`);
      });
      this.#ended.catch(() => undefined);
    }
    const line = once(this.#lines as Interface, 'line');
    line.catch(() => undefined);
    this.#process.stdin.write(`${dbPath}\n`);
    const [text] = (await within(60_000, 'opening it', Promise.race([line, this.#ended as Promise<never>]))) as [
      string,
    ];
    return JSON.parse(text) as Reply;
  }

  end(): void {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }
}

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  const opener = new Opener();
  await withFolder(async (folder) => {
    const dbPath = join(folder, 'hostile.db');
    const sound = join(folder, 'sound.db');
    makeSound(sound, 4096, 'UTF-8');
    try {
      for (const [name, sql] of Object.entries(otherSchemas)) await untouched(dbPath, name, sql);
      for (const [name, sql] of Object.entries(soundSchemas)) await accepted(dbPath, name, sql);
      for (const size of [512, 65536])
        await right(dbPath, `pages of ${size} bytes`, () => makeSound(dbPath, size, 'UTF-8'));
      for (const code of ['UTF-16le', 'UTF-16be']) await right(dbPath, code, () => makeSound(dbPath, 4096, code));
      const files = scaled(2000, scale, 20);
      for (let i = 0; i < files; i++) await damaged(dbPath, sound, i);
    } finally {
      opener.end();
    }
  });

  async function open(dbPath: string, what: string): Promise<Reply | undefined> {
    report.count('files opened');
    try {
      const reply = await opener.open(dbPath);
      for (const code of reply.codes) {
        if (code === undefined || code.startsWith('no code')) report.violation(`${what}: rejected with ${code}`);
        if (code === 'worker-lost') report.violation(`${what}: the worker was lost`);
      }
      report.count(`opened: ${reply.codes[0]}`);
      return reply;
    } catch (error) {
      opener.end();
      report.violation(`${what} (seed ${seed}): ${String(error)}`);
      return undefined;
    }
  }

  async function untouched(dbPath: string, name: string, sql: string): Promise<void> {
    build(dbPath, sql);
    const before = readFileSync(dbPath);
    const reply = await open(dbPath, name);
    for (const code of reply?.codes.slice(0, -1) ?? []) {
      if (code !== 'schema-mismatch')
        return report.violation(`${name}: ${reply?.codes.join()} instead of schema-mismatch`);
    }
    if (!readFileSync(dbPath).equals(before)) report.violation(`${name}: the file was changed`);
    if (existsSync(`${dbPath}-wal`)) report.violation(`${name}: a log was left beside it`);
  }

  async function accepted(dbPath: string, name: string, sql: string): Promise<void> {
    build(dbPath, sql);
    const reply = await open(dbPath, name);
    if (reply?.codes.some((code) => code !== 'ok')) report.violation(`${name}: ${reply.codes.join()} instead of ok`);
  }

  async function right(dbPath: string, name: string, make: () => void): Promise<void> {
    make();
    const reply = await open(dbPath, name);
    const { patches, ...rest } = reply?.read ?? {};
    const same =
      JSON.stringify({ ...stored, patches: undefined }) === JSON.stringify(rest) &&
      patches?.join() === stored.patches.join();
    if (!same) report.violation(`${name}: ${reply?.codes.join()}, other data`);
  }

  async function damaged(dbPath: string, sound: string, i: number): Promise<void> {
    for (const end of ['', '-wal', '-shm', '-journal']) rmSync(dbPath + end, { force: true });
    copyFileSync(sound, dbPath);
    const bytes = readFileSync(dbPath);
    const kind = random.pick(['bits', 'bits', 'bits', 'header', 'truncated', 'block', 'noise', 'log'] as const);
    let flips = 0;
    const flip = (limit: number) => {
      const at = random.below(limit);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      flips++;
    };
    if (kind === 'bits') for (let n = 1 + random.below(20); n > 0; n--) flip(bytes.length);
    if (kind === 'header') for (let n = 1 + random.below(4); n > 0; n--) flip(100);
    if (kind === 'block') bytes.set(random.bytes(512), random.below(bytes.length / 512) * 512);
    writeFileSync(dbPath, kind === 'noise' ? random.bytes(random.below(10_000)) : bytes);
    if (kind === 'truncated') truncateSync(dbPath, random.below(bytes.length));
    if (kind === 'log') writeFileSync(`${dbPath}-wal`, random.bytes(random.below(20_000)));
    const reply = await open(dbPath, `file ${i} (${kind})`);
    report.count(`files with damage: ${kind}`);
    if (reply === undefined || (kind !== 'bits' && kind !== 'log')) return;
    const { snapshot, patches, value, records } = reply.read;
    const most = kind === 'log' ? 0 : flips;
    const near = (found: string | undefined, wanted: string) =>
      found !== undefined && found.length === wanted.length && bitsBetween(found, wanted) <= most;
    // a flip may hide a row, or say another length: then what comes back is no longer the row, which only a checksum tells
    if (snapshot !== undefined && near(snapshot, stored.snapshot)) report.count('snapshots that came back');
    if (value !== undefined && near(value, stored.value)) report.count('values that came back');
    const same = patches?.join() === stored.patches.join() && records?.join() === stored.records.join();
    if (kind === 'log' && !(same && snapshot === stored.snapshot)) {
      report.violation(`file ${i}: a log of noise changed what is read (${reply.codes.join()})`);
    }
  }
}

function bitsBetween(a: string, b: string): number {
  const other = Buffer.from(b, 'hex');
  let bits = 0;
  for (const [i, byte] of Buffer.from(a, 'hex').entries()) {
    for (let rest = byte ^ (other[i] ?? 0); rest !== 0; rest &= rest - 1) bits++;
  }
  return bits;
}

function build(dbPath: string, sql: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(dbPath + end, { force: true });
  const database = new DatabaseSync(dbPath);
  database.exec(sql);
  database.close();
}

function makeSound(dbPath: string, pageSize: number, encoding: string): void {
  build(
    dbPath,
    `PRAGMA page_size = ${pageSize}; PRAGMA encoding = '${encoding}'; ${soundSchemas['our own schema, with records']}`,
  );
  const database = new DatabaseSync(dbPath);
  const bytes = (hex: string) => Buffer.from(hex, 'hex');
  database.prepare("INSERT INTO snapshots VALUES ('store', ?, 1)").run(bytes(stored.snapshot));
  database.prepare("INSERT INTO blobs VALUES ('value', ?, 2)").run(bytes(stored.value));
  const insert = database.prepare("INSERT INTO patches VALUES ('store', ?, ?)");
  for (const [i, patch] of stored.patches.entries()) insert.run(i + 1, bytes(patch));
  const record = database.prepare("INSERT INTO sds_records VALUES ('store', ?, ?)");
  for (const line of stored.records)
    record.run(line.slice(0, line.lastIndexOf(' ')), bytes(line.slice(line.lastIndexOf(' ') + 1)));
  database.close();
}
