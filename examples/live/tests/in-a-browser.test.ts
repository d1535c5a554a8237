/** The page in a real browser: people type, servers and workers die, and nothing is lost. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Side } from '../protocol/control.ts';
import { noBrowser, root } from './support.ts';

if (noBrowser !== undefined) console.warn(`examples/live, in a browser: ${noBrowser}`);

describe.skipIf(noBrowser !== undefined)('the page', async () => {
  if (noBrowser !== undefined) return;
  const { startBrowser } = await import('../browser.ts');
  const { Front } = await import('../front/front.ts');
  const { temporaryFolder } = await import('../front/live.ts');
  const { rmSync } = await import('node:fs');
  const { default: axe } = await import('axe-core');

  const folder = temporaryFolder();
  const pictures = join(root, 'out/screenshots');
  let front: Awaited<ReturnType<typeof Front.start>>;
  let browser: Browser;
  /** What no page may say: errors on its console, requests that fail. */
  const complaints: string[] = [];

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    [front, browser] = await Promise.all([Front.start({ port: 0, host: '127.0.0.1', folder }), startBrowser()]);
    front.carryOut({ kind: 'settings', editors: 0 });
    await front.ready();
  });

  afterAll(async () => {
    await browser?.close();
    const byThemselves = await front?.stop();
    rmSync(folder, { recursive: true, force: true });
    expect(byThemselves, 'a server had to be killed').not.toBe(false);
  });

  async function open(path: string, { withoutMeasuring = true } = {}): Promise<Page> {
    // without transitions: a colour on its way has a contrast of its own
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' });
    const page = await context.newPage();
    page.setDefaultTimeout(120_000); // a slow machine is no failure
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
    await page.goto(front.address + path);
    // not by its place: the page may still move as it loads, and another one would be clicked
    if (withoutMeasuring) await page.locator('#measure').dispatchEvent('click');
    await whenDurable(page);
    return page;
  }

  /** Once the server has said that all that was typed is durable. */
  const whenDurable = (page: Page) => page.waitForSelector('#durable[data-state="stored"]');
  /** Once the server has said so of as many key presses at least; a page that loads slowly has measured with some more. */
  const whenAllDurable = (page: Page, keys: number) =>
    page.waitForFunction(
      (least) => {
        const shown = document.querySelector<HTMLElement>('#durable');
        const { typed, durable } = shown?.dataset ?? {};
        if (Number(typed) < least || durable !== typed) return false;
        return shown?.textContent?.includes(`all ${typed} key presses durable`);
      },
      keys,
      RARELY,
    );
  /** The document's text, without the cursors that are shown in it. */
  const textOf = (page: Page) =>
    page.locator('.cm-content').evaluate((content) => {
      const copy = content.cloneNode(true) as HTMLElement;
      for (const cursor of copy.querySelectorAll('.cm-ySelectionCaret')) cursor.remove();
      return copy.textContent;
    });

  /** For what takes a while: with every frame, as is usual, a look takes more processor time than what is looked at. */
  const RARELY = { polling: 100 };

  /** Once the document on a page has so many of each letter. */
  async function whenItHas(page: Page, letters: Record<string, number>): Promise<void> {
    await page.waitForFunction(
      (wanted) => {
        const text = document.querySelector('.cm-content')?.textContent ?? '';
        return Object.entries(wanted).every(([letter, number]) => text.split(letter).length - 1 === number);
      },
      letters,
      RARELY,
    );
  }

  const whenLogged = (page: Page, text: string) =>
    page.locator('#log li', { hasText: text }).first().waitFor({ state: 'attached' });

  /** Types letter by letter, as a person's keyboard does. */
  const type = (page: Page, letter: string, times: number) =>
    page.locator('.cm-content').pressSequentially(letter.repeat(times), { delay: 4 });

  const up = (side: Side) => new Promise<void>((resolve) => front.server(side).once('up', () => resolve()));

  it('two people type at the same time, and have the same document, also after a reload', async () => {
    const [ada, bob] = await Promise.all([open('/?room=two'), open('/?room=two')]);
    await Promise.all([type(ada, 'q', 40), type(bob, 'z', 40)]);
    await Promise.all([ada, bob].map((page) => whenItHas(page, { q: 40, z: 40 })));
    expect(await textOf(ada)).toBe(await textOf(bob));
    await whenDurable(ada);
    await ada.reload();
    await whenItHas(ada, { q: 40, z: 40 });
    expect(await textOf(ada)).toBe(await textOf(bob));
    // the cursor of somebody else is shown
    await bob.locator('.cm-content').press('End');
    await ada.locator('.cm-ySelectionCaret').first().waitFor({ state: 'attached' });
    await Promise.all([ada.context().close(), bob.context().close()]);
  });

  it.each(['worker', 'synchronous'] as const)(
    'SIGKILL for the %s server in mid-typing: both converge',
    async (side) => {
      const [ada, bob] = await Promise.all([open(`/?room=kill-${side}`), open(`/?room=kill-${side}`)]);
      for (const page of [ada, bob]) {
        await page.locator(`input[name="side"][value="${side}"]`).check();
        await whenDurable(page);
      }
      const typing = Promise.all([type(ada, 'q', 60), type(bob, 'z', 60)]);
      await ada.waitForFunction(() => Number(document.querySelector<HTMLElement>('#durable')?.dataset.durable) > 20);
      const back = up(side);
      await ada.locator('#kill-server').evaluate((button: HTMLElement) => button.click());
      await Promise.all([typing, back]);
      await Promise.all([ada, bob].map((page) => whenItHas(page, { q: 60, z: 60 })));
      expect(await textOf(ada)).toBe(await textOf(bob));
      for (const page of [ada, bob]) {
        await whenLogged(page, 'The server is back after');
        // the page compares what it was told to be durable with what the server has read from its file
        await whenLogged(page, 'characters of yours that it had acknowledged were in its file');
        expect(await page.locator('#log').textContent()).not.toContain('MISSING');
        await whenDurable(page);
      }
      await Promise.all([ada.context().close(), bob.context().close()]);
    },
  );

  /** Waits until each server has as many simulated editors. */
  async function whenTheyAreHere(page: Page, editors: number): Promise<void> {
    front.carryOut({ kind: 'settings', editors, pace: 4, megabytes: 8 });
    await page.locator('#people', { hasText: ` ${editors} simulated editors` }).waitFor();
  }

  it('the worker is killed while 200 simulated editors type: no key press is lost, and the page says so', async () => {
    const page = await open('/?room=worker');
    await whenTheyAreHere(page, 200);
    const typing = type(page, 'q', 50);
    await page.waitForFunction(() => Number(document.querySelector<HTMLElement>('#durable')?.dataset.durable) > 20);
    await page.locator('#kill-worker').evaluate((button: HTMLElement) => button.click());
    await whenLogged(page, 'All of them are in the file after');
    await typing;
    await whenAllDurable(page, 50);
    // what was acknowledged to the 200 is compared with the file once their server has read it anew
    const back = up('worker');
    front.server('worker').kill();
    await back;
    await whenLogged(page, 'acknowledged to 200 simulated editors were in its file');
    expect(await page.locator('#log').textContent()).not.toContain('MISSING');
    await whenItHas(page, { q: 50 });
    await page.context().close();
  });

  it('with 50 editors and snapshots of 8 MB, the page shows how long 100 key presses took on each server', async () => {
    const page = await open('/?room=measured&measure-every=25', { withoutMeasuring: false });
    await whenTheyAreHere(page, 50);
    const saving = setInterval(() => {
      for (const side of ['worker', 'synchronous'] as const) {
        front.server(side).order({ kind: 'save-snapshot', room: 'measured', megabytes: 8 });
      }
    }, 600);
    const figures = await page.waitForFunction(
      () => {
        const all = JSON.parse(document.body.dataset.figures ?? '{}');
        return all.worker?.roundTrips > 100 && all.synchronous?.roundTrips > 100 ? all : undefined;
      },
      undefined,
      RARELY,
    );
    clearInterval(saving);
    const { worker, synchronous } = await figures.jsonValue();
    const line = ({ roundTripP50, roundTripP99, roundTrips }: typeof worker) =>
      `p50 ${roundTripP50.toFixed(1)} ms, p99 ${roundTripP99.toFixed(1)} ms of ${roundTrips}`;
    console.log(`key presses with 50 editors: this package ${line(worker)}; synchronous ${line(synchronous)}`);
    // which one is faster is not asserted: beside other work a clock says nothing about either
    const shown = page.locator('[data-plot="roundTrip"] dl');
    for (const { roundTripP99 } of [worker, synchronous]) expect(roundTripP99).toBeGreaterThan(0);
    expect(await shown.locator('dd').allTextContents()).toEqual([
      expect.stringMatching(/\d ms/),
      expect.stringMatching(/\d ms/),
    ]);
    await page.screenshot({ path: join(pictures, 'measured.png') });
    await page.context().close();
  });

  it('axe finds nothing on a desk and on a phone, light and dark, and nothing is wider than the screen', async () => {
    front.carryOut({ kind: 'settings', editors: 5, pace: 4 });
    const page = await open('/', { withoutMeasuring: false });
    await page.locator('.cm-ySelectionCaret').first().waitFor({ state: 'attached' });
    await page.locator('#save-snapshot').click();
    await whenLogged(page, 'A snapshot of 64 MB is durable');
    await page.evaluate(axe.source);
    for (const width of [1280, 390]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
        await page.emulateMedia({ colorScheme });
        const found = await page.evaluate(async () => {
          // an observer of sizes is told with the next frame
          await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
          const { axe } = window as unknown as { axe: typeof import('axe-core') };
          const { violations } = await axe.run();
          return {
            violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
            tooWide: Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
          };
        });
        expect(found, `${width} ${colorScheme}`).toEqual({ violations: [], tooWide: 0 });
        await page.screenshot({ path: join(pictures, `${width}-${colorScheme}.png`), fullPage: true });
      }
    }
    await page.context().close();
  });

  it('every control is reached and used by the keyboard', async () => {
    const page = await open('/?room=keyboard');
    const reached: string[] = [];
    await page.locator('input[name="side"]:checked').focus();
    for (let i = 0; i < 12; i++) {
      const name = () => document.activeElement?.id || document.activeElement?.getAttribute('name') || 'document';
      reached.push(await page.evaluate(name));
      await page.keyboard.press('Tab');
    }
    const wanted = ['side', 'document', 'editors', 'pace', 'megabytes', 'measure', 'save-snapshot', 'kill-worker'];
    for (const name of [...wanted, 'kill-server']) expect(reached).toContain(name);
    await page.locator('#editors').focus();
    const before = await page.locator('#editors').inputValue();
    await page.keyboard.press('ArrowRight');
    await page.locator('#people', { hasText: `${Number(before) + 5} simulated editors` }).waitFor();
    await page.context().close();
  });

  it('loads less than 400 KB', async () => {
    const page = await (await browser.newContext()).newPage();
    const sizes: number[] = [];
    page.on('response', (response) => sizes.push(Number(response.headers()['content-length'] ?? Number.NaN)));
    await page.goto(front.address, { waitUntil: 'networkidle' });
    const sum = sizes.reduce((total, size) => total + size, 0);
    console.log(`the page: ${Math.round(sum / 1024)} KB in ${sizes.length} files`);
    expect(sum).toBeLessThan(400 * 1024);
    await page.context().close();
  });

  it('no page has said an error or lacked a file', () => {
    expect(complaints).toEqual([]);
  });
});
