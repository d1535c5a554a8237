/** docs/api.md: whatever a program can import, read or subscribe to is in it; and its links lead somewhere. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as exported from 'sds-persistence-worker';
import { describe, expect, it } from 'vitest';
import { channelNames } from '../support/channels.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const reference = read('docs/api.md');

/** What is in a text as code, by its first name: of `transfer (Bytes, …)` it is `transfer`. */
const namesIn = (text: string) =>
  new Set([...text.matchAll(/`(?:new )?([\w.-]+(?::[\w-]+)*)[^`]*`/g)].map(([, name = '']) => name));
const named = namesIn(reference);

describe('the reference names', () => {
  it('all functions, classes and values that are exported', () => {
    const names = Object.keys(exported);
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !named.has(name))).toEqual([]);
  });

  it('all types', () => {
    const names = new Set(read('src/main/index.ts').match(/\bSDS_\w+/g));
    expect(names.size).toBeGreaterThan(20);
    expect([...names].filter((name) => !named.has(name))).toEqual([]);
  });

  it('all figures', async () => {
    await using provider = new exported.SDS_DesktopPersistenceProvider(':memory:', 'store');
    const { Worker, ...others } = provider.statistics();
    const figures = [...Object.keys(others), ...Object.keys(Worker).map((name) => `Worker.${name}`)];
    expect(figures.length).toBeGreaterThan(12);
    const [, section = ''] = /^### `statistics ([\s\S]*?)^### /m.exec(reference) ?? [];
    expect(figures.filter((name) => !namesIn(section).has(name))).toEqual([]);
  });

  it('all channels', () => {
    const channels = channelNames().map((name) => name.replace(/^tracing:(.*):\w+$/, '$1'));
    expect([...new Set(channels)].filter((name) => !named.has(name))).toEqual([]);
  });
});
