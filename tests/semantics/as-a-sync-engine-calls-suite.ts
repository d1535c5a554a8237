/** What the sync engine of the family relies on, step by step, on any implementation. */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addEntry, CausalDocument, entriesOf, restore, SyncEngine } from '../support/sync-engine.ts';
import type { OpenStore } from './contract-suite.ts';

const MB = 1_000_000;

export function describeSyncEngine(name: string, open: OpenStore, freshPlace: () => string | Promise<string>): void {
  describe(`a sync engine on ${name}`, () => {
    let place: string;
    beforeEach(async () => {
      place = await freshPlace();
    });
    const engines: SyncEngine[] = [];
    const begin = async (documentBytes: number, readsFirst = false): Promise<SyncEngine> => {
      const engine = new SyncEngine(open(place, 'store'), new CausalDocument(documentBytes), { readsFirst });
      await engine.start();
      engines.push(engine);
      return engine;
    };
    afterEach(() => {
      for (const { failures } of engines.splice(0)) expect(failures).toEqual([]);
    });

    for (const readsFirst of [false, true]) {
      it(`keeps what is edited while a checkpoint is ${readsFirst ? 'read and ' : ''}written`, async () => {
        const engine = await begin(4 * MB, readsFirst);
        engine.change(1000);
        const checkpoint = engine.checkpoint();
        for (let turn = 0; turn < 20; turn++) {
          await nextTurn();
          for (let patch = 0; patch < 3; patch++) engine.change(1000);
        }
        await checkpoint;
        const another = open(place, 'store');
        expect((await restore(another)).changes).toBe(engine.document.changes);
        await another.close();
        await engine.stop();
      });
    }

    it('writes as many checkpoints as are due, though edits go on', async () => {
      const engine = await begin(4 * MB);
      while (engine.checkpointsDue < 3) {
        engine.change(3000);
        await nextTurn();
      }
      await engine.stop();
      expect(engine.checkpoints).toBe(engine.checkpointsDue + 1); // the last one is that of `stop`
    });

    for (const [pace, rest] of [
      ['a turn', () => nextTurn()],
      ['a millisecond', () => pause(1)],
      ['5 ms', () => pause(5)],
    ] as const) {
      it(`does not delete the value of another entry when one is rewritten every ${pace}`, async () => {
        const provider = open(place, 'store');
        const engine = new SyncEngine(provider, new CausalDocument(0));
        await engine.start();
        const value = new Uint8Array(200_000).fill(7);
        engine.setValue('other', 'shared', value);
        engine.setValue('rewritten', 'shared', value);
        await expect.poll(() => engine.saved).toBe(2);
        for (let rewrite = 0; rewrite < 10; rewrite++) {
          engine.setValue('rewritten', `value ${rewrite}`, new Uint8Array(200_000).fill(rewrite));
          await rest();
        }
        await provider.loadSnapshot(); // behind all writes
        expect(await provider.loadValue('shared')).toEqual(value);
        expect(await provider.loadValue('value 9')).toEqual(new Uint8Array(200_000).fill(9));
        await engine.stop();
        engines.push(engine);
      });
    }

    for (const calls of [3, 4, 5, 20]) {
      it(`keeps the entries of ${calls} tool calls at once, each a message of its own`, async () => {
        await addEntry(open(place, 'store'), 'first');
        const answers: Promise<void>[] = [];
        for (let call = 0; call < calls; call++) {
          answers.push(addEntry(open(place, 'store'), `entry ${call}`));
          await nextTurn();
        }
        await Promise.all(answers);
        const last = open(place, 'store');
        expect((await entriesOf(last)).size).toBe(calls + 1);
        await last.close();
      });
    }
  });
}
