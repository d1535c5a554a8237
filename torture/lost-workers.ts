/**
 * Terminates worker threads at random moments under mixed calls. Each call's outcome is compared with
 * the model: only what was handed over may be lost, and then it must be known not to be stored.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { SDS_DesktopPersistenceProvider, transfer } from 'sds-persistence-worker';
import { differenceOf, rowsIn } from './database-rows.ts';
import { livingWorkers, onlineWorkers } from './living-workers.ts';
import { answerOf, type Call, Model } from './model.ts';
import { Random } from './random.ts';
import { survivesRepeatedDeath } from './repeated-death.ts';
import { codeOf, type RigContext, scaled, withFolder, within } from './rig.ts';

/** A call that was made, and what its promise came to. */
interface Made {
  storeId: string;
  call: Call;
  handedOver: boolean;
  /** A value that does not match its hash, for a provider that looks. */
  refusable: boolean;
  keep: boolean;
  outcome: Promise<unknown>;
}

interface Subject {
  provider: SDS_DesktopPersistenceProvider;
  storeId: string;
  verifies: boolean;
  keeps: boolean;
  takesSnapshots: boolean;
}

const ROUNDS_PER_FILE = 20;
const PATIENCE_MS = 10_000;

export async function run({ seed, scale, report }: RigContext): Promise<void> {
  const random = new Random(seed);
  await withFolder(async (folder) => {
    let kills = 0;
    const wanted = scaled(500, scale);
    for (let file = 0; kills < wanted; file++) {
      kills += await killOverOneFile(join(folder, `${file}.db`), wanted - kills);
    }
  });
  await survivesRepeatedDeath({ seed, scale, report });

  async function killOverOneFile(dbPath: string, wanted: number): Promise<number> {
    const open = (
      storeId: string,
      options: { VerifyValues?: boolean; TakeSnapshots?: boolean; keep?: boolean },
    ): Subject => {
      const { VerifyValues = false, TakeSnapshots = false, keep = false } = options;
      const provider = new SDS_DesktopPersistenceProvider(dbPath, storeId, {
        VerifyValues,
        TakeSnapshots,
        OnClockCollision: keep ? 'keep' : 'ignore',
        MaxPendingBytes: 8 * 1024 * 1024,
      });
      return { provider, storeId, verifies: VerifyValues, keeps: keep, takesSnapshots: TakeSnapshots };
    };
    const subjects = [
      open('one', {}),
      open('two', { VerifyValues: true, TakeSnapshots: true }),
      open('three', { keep: true }),
    ];
    const model = new Model();
    let kills = 0;
    for (let round = 0; round < ROUNDS_PER_FILE && kills < wanted; round++) {
      const made: Made[] = [];
      const calls = random.chance(0.2) ? random.below(2000) : random.below(40) + 1;
      // at most two: a worker that is lost three times without finishing anything is given up, rightly
      const killAt = [random.below(calls + 1)];
      if (random.chance(0.2)) killAt.push(random.below(calls + 1));
      const pauses = random.chance(0.3);
      // many calls are held by backpressure, which blocks as flushSync does
      const blocks = calls > 100 || random.chance(0.5);
      const workers = blocks ? onlineWorkers : livingWorkers;
      for (let i = 0; i <= calls; i++) {
        for (const at of killAt) if (at === i) kills += kill(workers);
        if (i < calls) made.push(makeCall(random.pick(subjects)));
        if (pauses && random.chance(0.02)) await new Promise(setImmediate);
        if (blocks && random.chance(0.004)) flushSync(random.pick(subjects), round);
      }
      if (blocks && random.chance(0.6)) {
        flushSync(random.pick(subjects), round);
        if (random.chance(0.5)) kills += kill(workers);
      }
      await judge(made, model, dbPath, round, blocks);
    }
    await within(30_000, 'close', Promise.all(subjects.map(({ provider }) => provider.close())));
    return kills;
  }

  /** It may say no, since calls of a round may fail; but the replacement of a worker takes no such time. */
  function flushSync({ provider }: Subject, round: number): void {
    const start = performance.now();
    if (provider.flushSync(PATIENCE_MS)) return;
    if (performance.now() - start < PATIENCE_MS) report.count('flushSync said no');
    else report.violation(`seed ${seed}, round ${round}: flushSync got nowhere for ${PATIENCE_MS} ms`);
  }

  function kill(workers: ReadonlySet<Worker>): number {
    if (workers.size === 0) return 0;
    const end = performance.now() + random.next() * 0.3;
    while (performance.now() < end);
    void random.pick([...workers]).terminate();
    report.count('workers terminated');
    return 1;
  }

  function makeCall(subject: Subject): Made {
    const { provider, storeId, verifies, keeps } = subject;
    const length = random.chance(0.03)
      ? 130_000 + random.below(300_000)
      : random.below(random.chance(0.2) ? 9000 : 120);
    const bytes = random.longBytes(length);
    let handedOver = random.chance(0.2);
    let refusable = false;
    const given = () => (handedOver ? handOver(bytes) : bytes.slice());
    const finish = (call: Call, outcome: Promise<unknown>): Made => {
      outcome.catch(() => undefined); // judged later
      return { storeId, call, handedOver, refusable, keep: keeps, outcome };
    };
    const clock = random.below(3000) + 1;
    const kind = random.below(100);
    if (kind < 55) return finish({ kind: 'appendPatch', clock, bytes }, provider.appendPatch(given(), clock));
    if (kind < 60) {
      const data = given();
      handedOver ||= subject.takesSnapshots;
      return finish({ kind: 'saveSnapshot', clock, bytes }, provider.saveSnapshot(data, clock));
    }
    if (kind < 64) return finish({ kind: 'prunePatches', clock }, provider.prunePatches(clock));
    if (kind < 82) {
      // few different values, so that their reference counts move; those of a store are its own
      const value = Buffer.from(`${storeId} ${random.below(6)} `.repeat(random.chance(0.1) ? 20_000 : 1));
      refusable = verifies && random.chance(0.15);
      const hash = refusable ? 'no hash' : createHash('sha256').update(value).digest('hex');
      const data = handedOver ? handOver(value) : value;
      return finish({ kind: 'saveValue', hash, bytes: value }, provider.saveValue(hash, data));
    }
    handedOver = false;
    const hash = createHash('sha256')
      .update(`${storeId} ${random.below(6)} `)
      .digest('hex');
    if (kind < 90) return finish({ kind: 'releaseValue', hash }, provider.releaseValue(hash));
    if (kind < 93) return finish({ kind: 'loadValue', hash }, provider.loadValue(hash));
    if (kind < 96) return finish({ kind: 'loadSnapshot' }, provider.loadSnapshot());
    return finish({ kind: 'loadPatchesSince', clock }, provider.loadPatchesSince(clock));
  }

  /** Replays what was not lost, in call order, and compares answers and rows. */
  async function judge(
    made: readonly Made[],
    model: Model,
    dbPath: string,
    round: number,
    blocks: boolean,
  ): Promise<void> {
    const outcomes = await within(
      60_000,
      `settling round ${round}`,
      Promise.allSettled(made.map(({ outcome }) => outcome)),
    );
    for (const [i, outcome] of outcomes.entries()) {
      const { storeId, call, handedOver, refusable, keep } = made[i] as Made; // one outcome each
      report.count('calls');
      if (outcome.status === 'rejected') {
        const code = codeOf(outcome.reason);
        report.count(`rejected with ${code}`);
        // shorter bytes are copied even if they are handed over, and then can't be lost
        if (code === 'worker-lost' && handedOver && 'bytes' in call && call.bytes.byteLength >= 4096) continue;
        // a thread that blocks gets no answers; what is lost of them can't be asked again, since later calls went on
        if (code === 'worker-lost' && call.kind.startsWith('load') && blocks) continue;
        if (code === 'invalid-argument' && refusable) continue;
        report.violation(
          `seed ${seed}: ${call.kind} (handed over: ${handedOver}) rejected with ${String(outcome.reason)}`,
        );
        continue;
      }
      if (refusable) report.violation(`seed ${seed}: a value that does not match its hash was accepted`);
      const wanted = model.apply(storeId, call, keep);
      const found = answerOf(outcome.value);
      if (JSON.stringify(found) === JSON.stringify(wanted)) continue;
      const where =
        Array.isArray(found) && Array.isArray(wanted) ? differenceOf(found, wanted) : `${String(found).slice(0, 60)}`;
      report.violation(`seed ${seed}, round ${round}: ${call.kind} of store ${storeId} answered otherwise: ${where}`);
    }
    const difference = differenceOf(rowsIn(dbPath), model.rows());
    if (difference !== undefined) report.violation(`seed ${seed}, round ${round}: other rows: ${difference}`);
    report.count('comparisons of all rows');
  }
}

/** A copy of its own buffer, handed over. */
function handOver(bytes: Uint8Array): Uint8Array {
  const own = new Uint8Array(bytes);
  return transfer(own, [own.buffer]);
}
