/**
 * Backups in the middle of random calls, made by this process and by others, some of which are killed. The target
 * is whole or not there. What is whole holds, of each store, a prefix of its calls: all that was acknowledged before
 * the backup began, nothing that was called after it ended.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { backupDatabase, SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { integrityOf, rowsIn } from './database-rows.ts';
import { type Call, Model } from './model.ts';
import { perform } from './perform.ts';
import { Random } from './random.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

const child = join(import.meta.dirname, 'children', 'backing-up.ts');
const BALLAST = { values: 40, bytes: 400_000 };
const MOST_KEPT = 100;

/** A store: what was called, how much of it is acknowledged, and its state after what is surely in every later backup. */
class Store {
  readonly id: string;
  readonly provider: SDS_DesktopPersistenceProvider;
  readonly calls: Call[] = [];
  acknowledged = 0;
  readonly #model = new Model();
  #replayed = 0;
  #clock = 0;

  constructor(dbPath: string, id: string) {
    this.id = id;
    this.provider = new SDS_DesktopPersistenceProvider(dbPath, id, { Acknowledge: 'committed' });
  }

  next(random: Random): Call {
    const kind = random.below(20);
    if (kind === 0) return { kind: 'saveSnapshot', clock: 0, bytes: random.longBytes(random.below(200_000)) };
    if (kind === 1) return { kind: 'prunePatches', clock: this.#clock - random.below(MOST_KEPT) };
    const hash = `${this.id} ${random.below(5)}`;
    if (kind === 2) return { kind: 'saveValue', hash, bytes: new TextEncoder().encode(hash) };
    if (kind === 3) return { kind: 'releaseValue', hash };
    return { kind: 'appendPatch', clock: ++this.#clock, bytes: random.longBytes(random.below(6000)) };
  }

  call(call: Call, failed: (error: unknown) => void): void {
    this.calls.push(call);
    const count = this.calls.length;
    perform(this.provider, call).then(() => {
      this.acknowledged = Math.max(this.acknowledged, count);
    }, failed);
  }

  /** Which prefix the rows are, at least `least` and at most `most` calls long; `undefined` if they are none. */
  prefix(rows: readonly string[], least: number, most: number): number | undefined {
    for (; this.#replayed < least; this.#replayed++) this.#model.apply(this.id, this.calls[this.#replayed] as Call);
    const model = new Model();
    for (const [id, { snapshot, patches, records }] of this.#model.stores) {
      model.stores.set(id, { snapshot, patches: new Map(patches), records: new Map(records) });
    }
    for (const [hash, value] of this.#model.values) model.values.set(hash, { ...value });
    const found = rows.join('\n');
    for (let count = this.#replayed; ; count++) {
      if (model.rows().join('\n') === found) return count;
      if (count >= most) return undefined;
      model.apply(this.id, this.calls[count] as Call);
    }
  }
}

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  await withFolder(async (folder) => {
    const dbPath = join(folder, 'source.db');
    const stores = ['one', 'two', 'three'].map((id) => new Store(dbPath, id));
    const failed = (error: unknown) => report.violation(`a call failed meanwhile: ${codeOf(error)}`);
    const ballast = stores[0]?.provider as SDS_DesktopPersistenceProvider;
    for (let i = 0; i < BALLAST.values; i++) void ballast.saveValue(`ballast ${i}`, random.longBytes(BALLAST.bytes));
    await ballast.flush();
    let writing = true;
    const writer = (async () => {
      while (writing) {
        for (let count = random.below(60); count > 0; count--) {
          const store = random.pick(stores);
          store.call(store.next(random), failed);
        }
        await pause(random.below(4));
      }
    })();
    const times = scaled(200, scale);
    for (let i = 0; i < times; i++) await one(join(folder, `backup ${i}.db`), stores, i);
    writing = false;
    await writer;
    await Promise.all(stores.map(({ provider }) => provider.close()));
    report.count(
      'calls meanwhile',
      stores.reduce((sum, { calls }) => sum + calls.length, 0),
    );

    async function one(target: string, all: readonly Store[], index: number): Promise<void> {
      const least = all.map(({ acknowledged }) => acknowledged);
      const inHere = random.chance(0.25);
      const kills = !inHere && random.chance(0.5);
      if (inHere) {
        await within(60_000, 'a backup', backupDatabase(dbPath, target));
      } else if (!(await elsewhere(target, kills ? random.below(500) : undefined))) {
        report.violation(`backup ${index} failed`);
      }
      const most = all.map(({ calls }) => calls.length);
      if (!existsSync(target)) {
        if (kills) report.count('killed, and not there');
        else report.violation(`backup ${index} is not there`);
        return;
      }
      report.count(
        kills ? 'killed, and whole all the same' : `whole, made by ${inHere ? 'this process' : 'another process'}`,
      );
      const integrity = integrityOf(target);
      if (integrity !== 'ok') report.violation(`backup ${index}: ${integrity}`);
      const rows = rowsIn(target);
      for (const [i, store] of all.entries()) {
        const own = rows.filter((row) => row.split(' ')[1] === store.id);
        const prefix = store.prefix(own, least[i] ?? 0, most[i] ?? 0);
        if (prefix === undefined) report.violation(`backup ${index}, store ${store.id}: no prefix of its calls`);
        else report.most('calls acknowledged after the backup began, and in it', prefix - (least[i] ?? 0));
      }
      const values = rows.filter((row) => row.startsWith('value ballast ')).length;
      if (values !== BALLAST.values) report.violation(`backup ${index}: ${values} of ${BALLAST.values} old values`);
      for (const end of ['', '-wal', '-shm']) rmSync(target + end, { force: true });
      const left = readdirSync(folder).filter((name) => name.startsWith('sds-partial-'));
      if (!kills && left.length > 0) report.violation(`after backup ${index} there is ${left.join()}`);
    }

    /** Returns whether it ended as it should. */
    async function elsewhere(target: string, killAfter: number | undefined): Promise<boolean> {
      const flags = ['--disable-warning=ExperimentalWarning'];
      const process_ = spawn(process.execPath, [...flags, child, dbPath, target]);
      let output = '';
      process_.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      const ended = once(process_, 'close');
      if (killAfter !== undefined) {
        await Promise.race([once(process_.stdout, 'data'), ended]);
        await pause(killAfter);
        process_.kill('SIGKILL');
      }
      await within(60_000, 'a backup in another process', ended);
      if (killAfter === undefined && output !== 'begins\ndone\n') report.violation(output);
      return killAfter !== undefined || output === 'begins\ndone\n';
    }
  });
}
