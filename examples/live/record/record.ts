/** `npm run live -- --record FOLDER`: plays a scripted minute in a browser without a window, and takes its pictures. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { browserPath, startBrowser } from '../browser.ts';
import { Front } from '../front/front.ts';
import { temporaryFolder } from '../front/live.ts';

/** The script, in seconds since the page is there. */
const script: readonly (readonly [
  at: number,
  what: string,
  act: (page: Page, front: Front) => void | Promise<void>,
])[] = [
  [1, '20 editors', (_page, front) => front.carryOut({ kind: 'settings', editors: 20, pace: 3, megabytes: 8 })],
  [4, 'somebody types', (page) => type(page, 'Notes of the day. Everybody types in here at once, ')],
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
      for (const [name, picture] of [
        ['live-page.png', page.screenshot({ path: join(target, 'live-page.png'), fullPage: true })],
        ['live-plots.png', page.locator('.plots').screenshot({ path: join(target, 'live-plots.png') })],
      ] as const) {
        await picture;
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
  await editor.click({ position: { x: 60, y: 20 } });
  await editor.pressSequentially(text, { delay: 60 });
}
