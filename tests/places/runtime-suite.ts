/** What has to hold in a runtime, in quick slices: give it a way to run a program. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Ended, installed, place, resultOf } from '../package/a-fresh-machine.ts';
import { application, extensionOf, wholeJourney } from '../package/an-application.ts';
import { rowsOf } from '../support/rows.ts';
import { makeStoreFile } from '../support/store-files.ts';
import { bringYjs } from './bring-yjs.ts';
import { MOST_OF_THE_CONTRACT, placeContract } from './contract/place-contract.ts';
import { commands, documents, ends, killed, lastWords, lostWorkers, operations, waiting } from './programs.ts';

export interface Runtime {
  name: string;
  /** Runs a program that lies in a folder, there; all names are relative to it. */
  run(folder: string, args: readonly string[]): Promise<Ended>;
  /** Whether a program can handle a signal. */
  hasSignals: boolean;
}

export function describeRuntime({ name, run, hasSignals }: Runtime): void {
  /** Runs the text of a module in a folder of its own. */
  const runText = async (text: string, format: 'esm' | 'cjs' = 'esm') => {
    const folder = await installed();
    const program = `program.${extensionOf[format]}`;
    place(folder, program, text);
    const ended = await run(folder, [program]);
    return { folder, dbPath: join(folder, 'store.db'), ended };
  };

  describe(name, () => {
    it('keeps the contract', async () => {
      const folder = await installed();
      const { stdout, stderr } = await run(folder, [await placeContract(folder, 'nothing', 'esm')]);
      if (stdout === '') throw new Error(stderr);
      const { tests, failed } = JSON.parse(stdout) as { tests: number; failed: string[] };
      expect(failed).toEqual([]);
      expect(tests).toBeGreaterThan(MOST_OF_THE_CONTRACT);
    });

    it.each(['esm', 'cjs'] as const)('runs an application, %s, and says nothing', async (format) => {
      const folder = await installed();
      const program = `main.${extensionOf[format]}`;
      place(folder, program, application(format));
      expect(resultOf(await run(folder, [program, 'store.db']), program)).toEqual(wholeJourney);
      // closed by the program: nothing is left beside the database
      expect(readdirSync(folder).filter((file) => file.startsWith('store.db'))).toEqual(['store.db']);
    });

    for (const [how, { text, exitCode, says = '', isSignal = false }] of Object.entries(ends)) {
      it.runIf(hasSignals || !isSignal)(`loses nothing when a program ends ${how}`, async () => {
        const { dbPath, ended } = await runText(text);
        expect(ended, ended.stderr).toMatchObject({ exitCode, signal: null });
        if (says === '') expect(ended.stderr).toBe('');
        else expect(ended.stderr).toContain(says);
        const { patches, blobs } = rowsOf(dbPath);
        expect({ patches: patches.length, values: blobs.length }).toEqual({ patches: 500, values: 1 });
      });
    }

    it('loses nothing that was acknowledged when a program is killed', async () => {
      const { dbPath, ended } = await runText(killed);
      expect(ended.stdout, ended.stderr).toBe('flushed\n');
      expect(ended.exitCode).not.toBe(0);
      expect(rowsOf(dbPath).patches.length).toBeGreaterThanOrEqual(500);
    });

    it('loses nothing with a worker, also while the thread that waits for it is blocked', async () => {
      const { dbPath, ended } = await runText(lostWorkers, 'cjs');
      expect(resultOf(ended, 'program.cjs')).toEqual({ flushed: true, replaced: 2 });
      expect(rowsOf(dbPath).patches).toHaveLength(3000);
    });

    it('looks after whole files', async () => {
      const { folder, ended } = await runText(operations);
      expect(resultOf(ended, 'program.mjs')).toEqual({
        backup: true,
        compactStore: true,
        describeDatabase: 1,
        compactDatabase: true,
        verifyDatabase: true,
        backupDatabase: true,
        restoreDatabase: true,
        copyStores: 1,
      });
      for (const file of ['backup.db', 'restored.db', 'copied.db']) {
        expect(rowsOf(join(folder, file)), file).toEqual(rowsOf(join(folder, 'store.db')));
      }
    });

    it.each(['esm', 'cjs'] as const)('keeps documents of Yjs, %s', async (format) => {
      const folder = await installed();
      bringYjs(folder);
      const program = `program.${extensionOf[format]}`;
      place(folder, program, documents(format));
      expect(resultOf(await run(folder, [program]), program)).toBe(lastWords);
      // merged into one, and what came after that
      expect(rowsOf(join(folder, 'documents.db'))).toMatchObject({ snapshots: [{}], patches: [{}] });
    });

    it('lives on until a merge that somebody waits for is done', async () => {
      const { ended } = await runText(waiting);
      expect(resultOf(ended, 'program.mjs')).toBe(true);
    });

    it('runs each command', async () => {
      const folder = await installed();
      makeStoreFile(join(folder, 'store.db'));
      const bin = 'node_modules/sds-persistence-worker/dist/bin.js';
      for (const [args, says] of commands) {
        const { exitCode, stdout, stderr } = await run(folder, [bin, ...args]);
        expect({ args, exitCode, stderr }).toEqual({ args, exitCode: 0, stderr: '' });
        expect(stdout).toMatch(says);
      }
      expect((await run(folder, [bin, 'info', 'missing.db'])).exitCode).toBe(1);
    });
  });
}
