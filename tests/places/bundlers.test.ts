/** More bundlers: the application works from one file, moved to where there is no `node_modules`; so do documents of Yjs. */
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installed, nodes, place, resultOf, runNode } from '../package/a-fresh-machine.ts';
import { application, extensionOf, type ModuleFormat, wholeJourney } from '../package/an-application.ts';
import type { Bundler } from '../package/bundlers.ts';
import { freshFolder } from '../support/files.ts';
import { rowsOf } from '../support/rows.ts';
import { bringYjs } from './bring-yjs.ts';
import { withNcc, withParcel, withRolldown, withRspack, withWebpack } from './bundlers.ts';
import { documents, lastWords } from './programs.ts';

interface Way {
  format: ModuleFormat;
  bundler: Bundler;
  /** What it calls its result. */
  bundle: string;
}

const ways: Record<string, Way> = {
  webpack: { format: 'esm', bundler: withWebpack, bundle: 'bundle.cjs' },
  'webpack, from CommonJS': { format: 'cjs', bundler: withWebpack, bundle: 'bundle.cjs' },
  Rspack: { format: 'esm', bundler: withRspack, bundle: 'bundle.cjs' },
  Rolldown: { format: 'esm', bundler: withRolldown, bundle: 'bundle.mjs' },
  ncc: { format: 'esm', bundler: withNcc, bundle: 'index.mjs' },
  'ncc, from CommonJS': { format: 'cjs', bundler: withNcc, bundle: 'index.cjs' },
  Parcel: { format: 'esm', bundler: withParcel, bundle: 'main.js' },
  'Parcel, from CommonJS': { format: 'cjs', bundler: withParcel, bundle: 'main.js' },
};

/** Bundles a program, and moves it; returns where it is then. */
async function bundled({ format, bundler, bundle }: Way, text: string): Promise<{ folder: string; program: string }> {
  const folder = await installed();
  bringYjs(folder);
  const out = freshFolder();
  await bundler(place(folder, `main.${extensionOf[format]}`, text), join(out, bundle));
  expect(readdirSync(out).filter((name) => !name.endsWith('.LICENSE.txt'))).toEqual([bundle]);
  // some leave the path of what they have bundled in it
  rmSync(folder, { recursive: true });
  const elsewhere = freshFolder();
  copyFileSync(join(out, bundle), join(elsewhere, bundle));
  return { folder: elsewhere, program: bundle };
}

describe.each(Object.entries(ways))('%s', (_, way) => {
  it('bundles an application', async () => {
    const { folder, program } = await bundled(way, application(way.format));
    expect(resultOf(await runNode([program, 'notes.db'], { cwd: folder }), program)).toEqual(wholeJourney);
    expect(rowsOf(join(folder, 'notes.db')).patches).toHaveLength(200);
    const onTheOldest = await runNode([program, 'again.db'], { cwd: folder, node: nodes['22.5'] });
    expect(resultOf(onTheOldest, program)).toEqual(wholeJourney);
  });

  it('bundles documents of Yjs, with Yjs, which are merged where they are until a module is named', async () => {
    const { folder, program } = await bundled(way, documents(way.format));
    const ended = await runNode([program], { cwd: folder });
    expect(ended.stderr).toContain('[SDS_NO_MERGING_THREAD]');
    expect(resultOf({ ...ended, stderr: '' }, program)).toBe(lastWords);
    expect(rowsOf(join(folder, 'documents.db'))).toMatchObject({ snapshots: [{}], patches: [{}] });
  });
});
