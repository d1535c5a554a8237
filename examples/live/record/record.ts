/** `npm run live -- --record FOLDER`: plays a scripted minute in a browser without a window, and takes its pictures. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { browserPath, startBrowser } from '../browser.ts';
import { Front } from '../front/front.ts';
import { temporaryFolder } from '../front/live.ts';

/** The script, in seconds since the page is there. */
const script: readonly (readonly [
  at: number,
  what: string,
  act: (page: Page, front: Front) => void | Promise<void>,
])[] = [
  [1, '50 editors', (_page, front) => front.carryOut({ kind: 'settings', editors: 50, pace: 3, megabytes: 8 })],
  [4, 'somebody types', (page) => type(page, 'Notes of the day: everybody types in here at once, ')],
  [10, '100 editors', (_page, front) => front.carryOut({ kind: 'settings', editors: 100 })],
  [17, '200 editors', (_page, front) => front.carryOut({ kind: 'settings', editors: 200 })],
  [28, 'a snapshot of 64 MB', (page) => page.locator('#save-snapshot').click()],
  [36, 'somebody types', (page) => type(page, 'and nobody waits for the disk.')],
  [41, 'the worker is killed', (page) => page.locator('#kill-worker').click()],
  [49, 'a snapshot of 64 MB', (page) => page.locator('#save-snapshot').click()],
];
const MINUTE_S = 59;

/** @returns the exit code */
export async function record(target: string): Promise<number> {
  if (browserPath === undefined) {
    console.error('--record needs Chromium or Chrome, and there is none; CHROMIUM_PATH may name one.');
    return 1;
  }
  mkdirSync(target, { recursive: true });
  const folder = temporaryFolder();
  const front = await Front.start({ port: 0, host: '127.0.0.1', folder });
  try {
    front.carryOut({ kind: 'settings', editors: 0 });
    await front.ready();
    const browser = await startBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      await page.goto(front.address);
      await play(page, front);
      const pictures = {
        'live-page.webp': await page.screenshot({ fullPage: true }),
        'live-plots.webp': await page.locator('.plots').screenshot(),
      };
      for (const [name, png] of Object.entries(pictures)) {
        writeFileSync(join(target, name), await asWebp(browser, png));
        console.log(join(target, name));
      }
    } finally {
      await browser.close();
    }
    return 0;
  } finally {
    await front.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function play(page: Page, front: Front): Promise<void> {
  const start = performance.now();
  const until = (second: number) =>
    new Promise((resolve) => setTimeout(resolve, Math.max(0, start + second * 1000 - performance.now())));
  for (const [at, what, act] of script) {
    await until(at);
    console.error(`${String(at).padStart(3)} s: ${what}`);
    await act(page, front);
  }
  await until(MINUTE_S);
}

async function type(page: Page, text: string): Promise<void> {
  const editor = page.locator('.cm-content');
  await editor.focus();
  await editor.pressSequentially(text, { delay: 60 });
}

/** A third of the bytes; the browser has an encoder. */
async function asWebp(browser: Browser, png: Buffer): Promise<Buffer> {
  const page = await browser.newPage();
  const base64 = await page.evaluate(async (encoded) => {
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = document.createElement('canvas');
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
    return canvas.toDataURL('image/webp', 0.9).split(',')[1] ?? '';
  }, png.toString('base64'));
  await page.close();
  return Buffer.from(base64, 'base64');
}
