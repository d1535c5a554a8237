/** Tools that trace queries are preloaded, also into the workers, and wrap `pg` there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';
import { runProgram } from '../support/programs.ts';

const { resolve } = createRequire(import.meta.url);

/** A file to be preloaded, in a folder of its own: `query` is what it wraps, and `wrapped` takes its place. */
function preloading(folder: string, wrapped: string): string[] {
  const preload = join(folder, 'preload.cjs');
  writeFileSync(
    preload,
    `const { appendFileSync, existsSync } = require('node:fs');
    const note = (line) => appendFileSync(${JSON.stringify(join(folder, 'notes'))}, line + '\\n');
    const { Client } = require(${JSON.stringify(resolve('pg'))});
    const { query } = Client.prototype;
    Client.prototype.query = ${wrapped};`,
  );
  return ['--require', preload];
}

describeOnPostgresql('a tool that wraps `query`', () => {
  it('sees each query begin and end, by its callback or else its promise', async () => {
    const folder = freshFolder();
    const flags = preloading(
      folder,
      `function (...args) {
        const result = query.apply(this, args);
        const sent = this._queryQueue.at(-1) ?? this._activeQuery;
        note('began');
        if (sent.callback) {
          const { callback } = sent;
          sent.callback = function (...outcome) {
            note(outcome[0] ? 'failed' : 'ended');
            return callback.apply(this, outcome);
          };
        } else {
          sent.then(() => note('ended'), () => note('failed'));
        }
        return result;
      }`,
    );
    const ended = await runProgram(
      `const provider = new SDS_DesktopPersistenceProvider(file, 'store', { RetryForMs: 1000, OnClockCollision: 'keep' });
      await provider.appendPatch(patchOf(1), 1);
      provider.appendPatch(patchOf(3), 3);
      provider.appendPatch(patchOf(2), 2);
      await provider.saveValue('value', new Uint8Array(300_000));
      await provider.appendPatch(patchOf('other'), 1); // its number is taken: the server refuses it first
      const [value, patches] = await Promise.all([provider.loadValue('value'), provider.loadPatchesSince(0)]);
      await provider.close();
      console.log(value.length, patches.length);`,
      await postgresql.freshPlace(),
      { flags },
    );
    expect(ended).toMatchObject({ code: 0, stdout: '300000 4\n', stderr: '' });
    const notes = readFileSync(join(folder, 'notes'), 'utf8').trim().split('\n');
    const began = notes.filter((note) => note === 'began').length;
    expect(began).toBeGreaterThan(0);
    expect(notes).toHaveLength(2 * began);
    expect(notes).toContain('failed');
  });

  it('is preloaded also where the program has removed the options of Node, for what it starts', async () => {
    const folder = freshFolder();
    const flags = preloading(
      folder,
      `function (...args) {
        note('began');
        return query.apply(this, args);
      }`,
    );
    const ended = await runProgram(
      `delete process.env.NODE_OPTIONS;
      process.execArgv = [];
      const provider = new SDS_DesktopPersistenceProvider(file, 'store');
      await provider.appendPatch(patchOf(1), 1);
      await provider.close();`,
      await postgresql.freshPlace(),
      { env: { NODE_OPTIONS: flags.join(' ') } },
    );
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(join(folder, 'notes'), 'utf8')).toContain('began');
  });

  it.each(['before', 'behind'])(
    'and throws %s it: the call fails at once, and later ones are carried out',
    async (when) => {
      const folder = freshFolder();
      const fault = join(folder, 'fault');
      const throwing = `if (existsSync(${JSON.stringify(fault)})) throw new TypeError('no such thing in the tool');`;
      const flags = preloading(
        folder,
        `function (...args) {
        ${when === 'before' ? throwing : ''}
        const result = query.apply(this, args);
        ${when === 'behind' ? throwing : ''}
        return result;
      }`,
      );
      // calls that waited for the server would do so for longer than the test may take
      const ended = await runProgram(
        `import { rmSync, writeFileSync } from 'node:fs';
      const fault = ${JSON.stringify(fault)};
      const told = ({ code, cause }) => console.log(code, cause.message);
      writeFileSync(fault, '');
      const provider = new SDS_DesktopPersistenceProvider(file, 'store', { RetryForMs: 120_000 });
      await provider.appendPatch(patchOf(1), 1).catch(told); // connects
      rmSync(fault);
      await provider.appendPatch(patchOf(2), 2);
      writeFileSync(fault, '');
      await provider.loadPatchesSince(0).catch(told); // is connected
      rmSync(fault);
      console.log((await provider.loadPatchesSince(0)).length);
      await provider.close();`,
        await postgresql.freshPlace(),
        { flags },
      );
      const failure = 'io-error TypeError: no such thing in the tool\n';
      expect(ended).toMatchObject({ code: 0, stdout: `${failure}${failure}1\n`, stderr: '' });
    },
  );
});
