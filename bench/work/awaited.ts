/**
 * One awaited call at a time: this provider, a bare worker, the synchronous reference, and a program that stores
 * nothing, in one process and
 * all warm. Blocks of each come in turn, forwards and backwards, so that a machine that becomes slower does so for
 * all of them.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ReferenceProvider } from '../../tests/support/reference-provider.ts';
import { measureShort, median, patchesOf, quantile } from '../measure.ts';
import { startBareWorker } from './bare-worker.ts';
import type { Metrics, Together } from './work.ts';

/** As a person types, or a pointer moves. */
const EVERY_MS = 4;

type Append = (patch: Uint8Array, clock: number) => Promise<void>;

interface Participant {
  append: Append;
  clock: number;
  /** Of all blocks in one, and of each block, by pace. */
  tookUs: Record<string, number[]>;
  mainUs: Record<string, number[]>;
}

const paces: Record<string, () => unknown> = {
  '': () => undefined,
  spaced: () => pause(EVERY_MS),
};

async function block(participant: Participant, pace: string, count: number, patches: readonly Uint8Array[]) {
  const before = paces[pace] as () => unknown;
  const took = participant.tookUs[pace] ?? [];
  const { mainUs } = await measureShort(async () => {
    for (let i = 0; i < count; i++) {
      const wait = before();
      if (wait !== undefined) await wait;
      const patch = patches[i % patches.length] as Uint8Array; // a remainder is within bounds
      const clock = ++participant.clock;
      const start = performance.now();
      await participant.append(patch, clock);
      took.push((performance.now() - start) * 1000);
    }
  });
  participant.tookUs[pace] = took;
  participant.mainUs[pace] = [...(participant.mainUs[pace] ?? []), mainUs / count];
}

export const awaited: Together = async ({ driver, folder, sizes }) => {
  const { warm = 300, rounds = 2, count = 100, spacedCount = 20 } = sizes;
  const patches = patchesOf(200, 1024);
  const database = await driver.open(folder);
  const store = database.store('store');
  const bare = await startBareWorker(folder);
  const reference = new ReferenceProvider(join(folder, 'reference.db'), 'store');
  const make = (append: Append): Participant => ({ append, clock: 0, tookUs: {}, mainUs: {} });
  const participants: Record<string, Participant> = {
    provider: make((patch, clock) => store.appendPatch(patch, clock) as Promise<void>),
    'bare-worker': make(bare.appendPatch),
    reference: make((patch, clock) => reference.appendPatch(patch, clock)),
    nothing: make(async () => {}),
  };
  const all = Object.values(participants);
  for (const participant of all) {
    await block(participant, '', warm, patches);
    participant.tookUs = {};
    participant.mainUs = {};
  }
  for (let round = 0; round < rounds; round++) {
    for (const participant of round % 2 === 0 ? all : all.toReversed()) {
      await block(participant, '', count, patches);
      await block(participant, 'spaced', spacedCount, patches);
    }
  }
  await database.close();
  await bare.close();
  await reference.close();
  const nothing = participants.nothing as Participant; // made above
  const metricsOf = ({ tookUs, mainUs }: Participant): Metrics => {
    const metrics: Metrics = {};
    for (const pace of Object.keys(paces)) {
      const name = (metric: string) => (pace === '' ? metric : `${pace} ${metric}`);
      metrics[name('p50Us')] = quantile(tookUs[pace] ?? [], 0.5);
      metrics[name('p99Us')] = quantile(tookUs[pace] ?? [], 0.99);
      // beyond what the loop and its timers cost by themselves
      metrics[name('mainUs')] = Math.max(median(mainUs[pace] ?? []) - median(nothing.mainUs[pace] ?? []), 0);
    }
    return metrics;
  };
  return Object.fromEntries(
    Object.entries(participants).flatMap(([name, one]) => (one === nothing ? [] : [[name, metricsOf(one)]])),
  );
};
