/** The page in a real browser: what is typed is there after a kill with this package, and the other server shows what was lost. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshFolder, noBrowser } from '../../live/tests/support.ts';
import { Front } from '../front.ts';
import type { Side } from '../protocol.ts';

const examples = { hocuspocus: 'extension-sqlite', 'yjs-server': 'y-leveldb' };

describe.skipIf(noBrowser !== undefined)(`the page${noBrowser === undefined ? '' : ` (${noBrowser})`}`, async () => {
  if (noBrowser !== undefined) return;
  const { startBrowser } = await import('../../live/browser.ts');
  let browser: Awaited<ReturnType<typeof startBrowser>>;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  it.each(Object.entries(examples))('%s is killed in mid-typing and started again', async (name, other) => {
    const folder = freshFolder();
    const example = { folder: join(import.meta.dirname, '../..', name), other };
    const front = await Front.start(example, {
      port: 0,
      database: join(folder, 'documents.db'),
      otherDatabase: join(folder, other),
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000); // a slow machine is no failure
    try {
      await page.goto(front.address);
      const editor = (side: Side, which: number) => page.locator(`#${side} textarea`).nth(which);
      const text = 'typed by hand';
      await editor('worker', 0).pressSequentially(text);
      await expect.poll(() => editor('worker', 1).inputValue()).toBe(text);
      await editor('worker', 1).press('End');
      await editor('worker', 1).pressSequentially('!');
      await expect.poll(() => editor('worker', 0).inputValue()).toBe(`${text}!`);
      await page.getByLabel('type for me').check();
      const typed = async (side: Side) => (await editor(side, 1).inputValue()).length;
      await expect.poll(() => typed('worker')).toBeGreaterThan(100);
      await expect.poll(() => typed(other)).toBeGreaterThan(50);
      await page.getByLabel('type for me').uncheck();
      await expect.poll(async () => (await editor('worker', 0).inputValue()).length - (await typed('worker'))).toBe(0);
      for (const side of ['worker', other]) {
        await page.locator(`#${side} .kill`).click();
        await page.locator(`#${side} .start`).click(); // once it can be pressed: the server is gone
        await page.locator(`#${side} .outcome`, { hasText: 'characters were lost' }).waitFor();
      }
      expect(await page.locator('#worker .outcome').textContent()).toMatch(/^0 of \d{3,} characters/);
      expect(await page.locator(`#${other} .outcome`).textContent()).toMatch(/^\d+ of \d{2,} characters/);
    } finally {
      await page.close();
      await front.stop();
    }
  });
});
