/** A real browser, without a window. */
import { chromium, type Browser } from 'playwright-core';
import { requireProgram } from './install.ts';

/** Nothing that it would do by itself: no updates, no reports, no sync. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Each context of it is a visitor of its own, with no cookies at first. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: requireProgram('chromium'), headless: true, args: FLAGS });
}
