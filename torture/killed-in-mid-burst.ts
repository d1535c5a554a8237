/**
 * kill -9 in mid-burst: a child appends as fast as it can and tells which patches were acknowledged.
 * After each kill the file is sound, every acknowledged patch is there with the right bytes, and what
 * is there is a prefix of what was called, without a hole.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { integrityOf, reading } from './database-rows.ts';
import { patchOf } from './patches.ts';
import { Random } from './random.ts';
import { type RigContext, scaled, withFolder, within } from './rig.ts';

const child = join(import.meta.dirname, 'children', 'appending.ts');
const KILLS_PER_FILE = 10;
const STORES = 2;

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  await withFolder(async (folder) => {
    const kills = scaled(200, scale, 2);
    for (let kill = 0; kill < kills; kill++) {
      // the file grows from kill to kill; each durability has files of its own
      const durability = kill % 2 === 0 ? 'normal' : 'full';
      const dbPath = join(folder, `${durability}-${Math.floor(kill / 2 / KILLS_PER_FILE)}.db`);
      await killOnce(dbPath, durability, kill);
    }
  });

  async function killOnce(dbPath: string, durability: string, kill: number): Promise<void> {
    const acknowledged = new Array<number>(STORES).fill(0);
    const process_ = spawn(process.execPath, [child, dbPath, durability, String(STORES)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: process_.stdout as Readable });
    const ended = once(process_, 'close');
    const begun = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        const [store, clock] = line.split(' ').map(Number) as [number, number];
        acknowledged[store] = Math.max(acknowledged[store] ?? 0, clock);
        resolve();
      });
    });
    await within(60_000, 'the first acknowledgement', Promise.race([begun, ended]));
    // from the first moment to a few hundred batches on
    await new Promise((resolve) => setTimeout(resolve, random.next() ** 2 * 250));
    await endNow(process_, ended);
    report.count('kills');
    const sound = integrityOf(dbPath);
    if (sound !== 'ok') report.violation(`seed ${seed}, kill ${kill} (${durability}): integrity_check: ${sound}`);
    for (let store = 0; store < STORES; store++) check(dbPath, store, acknowledged[store] ?? 0, kill);
  }

  async function endNow(process_: ChildProcess, ended: Promise<unknown>): Promise<void> {
    if (!process_.kill('SIGKILL')) report.violation('the child ended by itself');
    await ended; // and with it, all that it wrote to the pipe has been read
  }

  function check(dbPath: string, store: number, acknowledged: number, kill: number): void {
    reading(dbPath, (database) => {
      let wanted = 1;
      const rows = database.prepare('SELECT clock, data FROM patches WHERE store_id = ? ORDER BY clock');
      for (const { clock, data } of rows.iterate(`store-${store}`)) {
        const place = `seed ${seed}, kill ${kill}, store ${store}, number ${clock}`;
        if (clock !== wanted) return report.violation(`${place}: a hole, ${wanted} is missing`);
        if (!Buffer.from(data as Uint8Array).equals(patchOf(store, wanted)))
          return report.violation(`${place}: other bytes`);
        wanted++;
      }
      if (wanted <= acknowledged)
        report.violation(`kill ${kill}, store ${store}: ${acknowledged} acknowledged, ${wanted - 1} there`);
      report.count('acknowledged patches found again', acknowledged);
      report.most('patches in the largest file', wanted - 1);
    });
  }
}
