/** Operations where the room ends; also a small slice of the rig torture/operations-on-a-full-disk.ts, which `npm run torture` runs as a whole. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { copyStores, verifyDatabase } from 'sds-persistence-worker';
import { expect, test } from 'vitest';
import { run } from '../../torture/operations-on-a-full-disk.ts';
import { findingsOf } from '../../torture/rig.ts';
import { freshFile, rowsOf } from '../support/files.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';
import { makeStoreFile } from '../support/store-files.ts';

test('a full disk leaves the source as it is and no target, and says how much is needed', async ({ annotate }) => {
  const findings = await findingsOf(run, 20_260_105, 0.05);
  for (const reason of findings.skipped) await annotate(reason, 'skipped');
  expect(findings.violations).toEqual([]);
});

test.skipIf(!canMount)('a copy whose file has room once is whole, and named only then', async () => {
  const source = makeStoreFile(freshFile(), { patches: 14, patchBytes: 100_000 });
  for (const options of [{}, { Salvage: true }]) {
    const disk = smallDisk();
    const target = join(disk, 'target.db');
    await copyStores(source, target, options);
    expect(readdirSync(disk)).toEqual(['target.db']);
    expect(await verifyDatabase(target)).toMatchObject({ Sound: true });
    expect(rowsOf(target)).toEqual(rowsOf(source));
  }
});

test.skipIf(!canMount)(
  'a copy of many small patches says how much is needed with their names and numbers',
  async () => {
    const source = makeStoreFile(freshFile(), { patches: 60_000, patchBytes: 10 });
    const full = await copyStores(source, join(smallDisk(), 'target.db')).catch((error) => error);
    expect(full).toMatchObject({ code: 'database-full' });
    const [, needed] = /at least ([\d,]+) bytes are needed/.exec(full.message) ?? [];
    const bytes = Number(needed?.replaceAll(',', ''));
    expect(bytes).toBeGreaterThan(120_000 * 2 * 10);
    expect(bytes).toBeLessThanOrEqual(statSync(source).size);
  },
);
