/** Finds the system's Chromium (or Chrome) and drives it by Playwright. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const places = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/snap/bin/chromium',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

export const browserPath = places.find((path) => path !== undefined && existsSync(path));

export async function startBrowser(): Promise<Browser> {
  if (browserPath === undefined) {
    throw new Error('There is no Chromium or Chrome on this machine; CHROMIUM_PATH may name one.');
  }
  const options = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
  options.push('--disable-component-update', '--disable-sync');
  // its sandbox does not work for root
  if (process.getuid?.() === 0) options.push('--no-sandbox');
  return chromium.launch({ executablePath: browserPath, args: options });
}
