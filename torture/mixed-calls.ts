/**
 * Calls of every kind on three providers of one database, each with options of its own, not awaited.
 * Their outcomes are compared with the model in call order, and so are the rows that they leave.
 */
import { createHash } from 'node:crypto';
import { SDS_DesktopPersistenceProvider, type SDS_ProviderOptions, transfer } from 'sds-persistence-worker';
import type { Engine } from '../tests/support/engine.ts';
import { linesOf } from '../tests/support/rows.ts';
import { differenceOf } from './database-rows.ts';
import { answerOf, type Call, Model } from './model.ts';
import type { Random } from './random.ts';
import { codeOf, type Report, within } from './rig.ts';

/** A call that was made, and what its promise came to. */
export interface Made {
  storeId: string;
  call: Call;
  handedOver: boolean;
  /** A value that does not match its hash, for a provider that looks. */
  refusable: boolean;
  keep: boolean;
  outcome: Promise<unknown>;
}

export interface Subject {
  provider: SDS_DesktopPersistenceProvider;
  storeId: string;
  verifies: boolean;
  keeps: boolean;
  takesSnapshots: boolean;
}

const neverHeld: SDS_ProviderOptions = { MaxPendingBytes: 512 * 1024 * 1024, Overflow: 'block' };

export class MixedCalls {
  readonly subjects: readonly Subject[];
  readonly #place: string;
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #report: Report;
  readonly #handsOver: boolean;
  readonly #model = new Model();
  #made: Made[] = [];

  /**
   * @param opened - where the providers find the database; `place` is where it is looked at
   * @param handsOver - whether bytes are handed over, besides
   * @param options - of all providers. A call that is held blocks this thread, and what it does for the server besides
   */
  constructor(
    engine: Engine,
    place: string,
    random: Random,
    report: Report,
    {
      opened = place,
      options = neverHeld,
      handsOver = true,
    }: { opened?: string; options?: SDS_ProviderOptions; handsOver?: boolean } = {},
  ) {
    this.#place = place;
    this.#engine = engine;
    this.#random = random;
    this.#report = report;
    this.#handsOver = handsOver;
    const open = (storeId: string, own: SDS_ProviderOptions): Subject => ({
      provider: new SDS_DesktopPersistenceProvider(opened, storeId, {
        // the outcome of every call is compared
        Acknowledge: 'committed',
        ...options,
        ...own,
      }),
      storeId,
      verifies: own.VerifyValues === true,
      keeps: own.OnClockCollision === 'keep',
      takesSnapshots: own.TransferSnapshots === true,
    });
    this.subjects = [
      open('one', {}),
      open('two', { VerifyValues: true, TransferSnapshots: handsOver }),
      open('three', { OnClockCollision: 'keep' }),
    ];
  }

  /** Makes one call. */
  make(): Made {
    const made = this.#call(this.#random.pick(this.subjects));
    this.#made.push(made);
    return made;
  }

  /** Resolves once all calls are settled. */
  settled(): Promise<unknown> {
    return Promise.allSettled(this.#made.map(({ outcome }) => outcome));
  }

  /**
   * Replays what was carried out, in call order, and compares answers and rows.
   *
   * @param where - the round, for messages
   * @param mayReject - whether this call may have rejected with this code, and so must not be stored
   */
  async judge(where: string, mayReject: (made: Made, code: string) => boolean = () => false): Promise<void> {
    const made = this.#made;
    this.#made = [];
    const report = this.#report;
    const outcomes = await within(60_000, `settling ${where}`, Promise.allSettled(made.map(({ outcome }) => outcome)));
    // by what each is of: the code of the last save, if that failed
    const failedSaves = new Map<string, string>();
    for (const [i, outcome] of outcomes.entries()) {
      const one = made[i] as Made; // one outcome each
      const { storeId, call, handedOver, refusable, keep } = one;
      report.count('calls');
      const saved = savedBefore(one);
      if (isSave(call) && outcome.status === 'fulfilled') failedSaves.delete(saved);
      if (outcome.status === 'rejected') {
        const code = codeOf(outcome.reason);
        report.count(`rejected with ${code}`);
        if (isSave(call)) failedSaves.set(saved, code);
        else if (saved !== '' && failedSaves.get(saved) === code) continue; // nothing is deleted for a save that failed
        if ((code === 'invalid-argument' && refusable) || mayReject(one, code)) continue;
        report.violation(
          `${where}: ${call.kind} (handed over: ${handedOver}) rejected with ${String(outcome.reason)}: ${String((outcome.reason as Error).cause)}`,
        );
        continue;
      }
      if (refusable) report.violation(`${where}: a value that does not match its hash was accepted`);
      const wanted = this.#model.apply(storeId, call, keep);
      const found = answerOf(outcome.value);
      if (call.kind === 'compactStore') report.count(wanted ? 'compactions' : 'compactions that left the store alone');
      if (JSON.stringify(found) === JSON.stringify(wanted)) continue;
      // of a commit at a server that is found out later it is not known whether it was left
      if (call.kind === 'compactStore' && !this.#engine.isFile && found === true) continue;
      const how =
        Array.isArray(found) && Array.isArray(wanted) ? differenceOf(found, wanted) : `${String(found).slice(0, 60)}`;
      report.violation(`${where}: ${call.kind} of store ${storeId} answered otherwise: ${how}`);
    }
    const difference = differenceOf(linesOf(await this.#engine.rowsOf(this.#place)), this.#model.rows());
    if (difference !== undefined) report.violation(`${where}: other rows: ${difference}`);
    report.count('comparisons of all rows');
  }

  async close(): Promise<void> {
    await within(60_000, 'close', Promise.all(this.subjects.map(({ provider }) => provider.close())));
  }

  #call(subject: Subject): Made {
    const random = this.#random;
    const { provider, storeId, verifies, keeps } = subject;
    const length = random.chance(0.03)
      ? 130_000 + random.below(300_000)
      : random.below(random.chance(0.2) ? 9000 : 120);
    // some patches come again and again, under numbers that are near each other, so that both meet
    const repeats = keeps && random.chance(0.5);
    const bytes = repeats ? new Uint8Array(40).fill(random.below(6)) : random.longBytes(length);
    let handedOver = random.chance(0.2) && this.#handsOver;
    let refusable = false;
    const given = () => (handedOver ? handOver(bytes) : bytes.slice());
    const finish = (call: Call, outcome: Promise<unknown>): Made => {
      outcome.catch(() => undefined); // judged later
      return { storeId, call, handedOver, refusable, keep: keeps, outcome };
    };
    const clock = random.below(repeats ? 60 : 3000) + 1;
    const kind = random.below(124);
    if (kind < 55) return finish({ kind: 'appendPatch', clock, bytes }, provider.appendPatch(given(), clock));
    if (kind < 60) {
      const data = given();
      handedOver ||= subject.takesSnapshots;
      // with no number: else a prune that is called while it is on its way leaves patches alone
      return finish({ kind: 'saveSnapshot', clock: 0, bytes }, provider.saveSnapshot(data));
    }
    if (kind < 64) return finish({ kind: 'prunePatches', clock }, provider.prunePatches(clock));
    if (kind < 82) {
      // few different values, so that their reference counts move; those of a store are its own
      const value = Buffer.from(`${storeId} ${random.below(6)} `.repeat(random.chance(0.1) ? 20_000 : 1));
      refusable = verifies && random.chance(0.15);
      const hash = refusable ? '0'.repeat(64) : createHash('sha256').update(value).digest('hex');
      const data = handedOver ? handOver(value) : value;
      return finish({ kind: 'saveValue', hash, bytes: value }, provider.saveValue(hash, data));
    }
    const key = random.pick(['a', 'ab', 'b', 'ä']);
    if (kind < 90) return finish({ kind: 'saveRecord', key, bytes }, provider.saveRecord(key, given()));
    if (kind < 98) {
      // from what was there before this round: some of it is out of date, and then nothing is to be changed
      const seen = this.#model.seen(storeId, random.chance(0.5) ? clock : random.below(10));
      return finish({ kind: 'compactStore', bytes, seen }, provider.compactStore(given(), seen));
    }
    handedOver = false;
    const hash = createHash('sha256')
      .update(`${storeId} ${random.below(6)} `)
      .digest('hex');
    if (kind < 106) return finish({ kind: 'releaseValue', hash }, provider.releaseValue(hash));
    if (kind < 109) return finish({ kind: 'loadValue', hash }, provider.loadValue(hash));
    if (kind < 112) return finish({ kind: 'loadSnapshot' }, provider.loadSnapshot());
    if (kind < 114) return finish({ kind: 'loadStore' }, provider.loadStore());
    if (kind < 116) return finish({ kind: 'loadRecord', key }, provider.loadRecord(key));
    if (kind < 117) return finish({ kind: 'loadRecords', key }, provider.loadRecords(key));
    if (kind < 118) return finish({ kind: 'removeRecord', key }, provider.removeRecord(key));
    if (kind < 119) return finish({ kind: 'removeRecords', key }, provider.removeRecords(key));
    if (kind < 120 && random.chance(0.2)) return finish({ kind: 'removeStore' }, provider.removeStore());
    return finish({ kind: 'loadPatchesSince', clock }, provider.loadPatchesSince(clock));
  }
}

function isSave({ kind }: Call): boolean {
  return kind === 'saveSnapshot' || kind === 'saveValue';
}

/** What a call saves, or deletes because of a save before it; empty for other calls. */
function savedBefore({ storeId, call }: Made): string {
  if (call.kind === 'saveSnapshot' || call.kind === 'prunePatches') return `snapshot of ${storeId}`;
  return call.kind === 'saveValue' || call.kind === 'releaseValue' ? `value ${call.hash} of ${storeId}` : '';
}

/** A copy of its own buffer, handed over. */
function handOver(bytes: Uint8Array): Uint8Array {
  const own = new Uint8Array(bytes);
  return transfer(own, [own.buffer]);
}
