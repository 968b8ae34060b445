import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBrowser } from './browser.ts';
import { type Gateway, startGateway } from './harness.ts';

let gateway: Gateway;
let browser: Browser;
let page: Page;
const complaints: string[] = [];
/** Far above what anything takes on a busy machine, far below the limit of a test. */
const LIMIT_MS = 60_000;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), openBrowser()]);
  page = await browser.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.on('pageerror', (error) => complaints.push(error.message));
});
afterAll(async () => {
  await browser?.close();
  await gateway?.cleanUp();
});

const shown = (selector: string, text: string | RegExp) =>
  page.locator(selector).filter({ hasText: text }).first().waitFor();
const row = (path: string) => page.locator(`#tree tr`).filter({ hasText: path }).first();

it('asks for the token, and with it shows the tree and its health; the token does not stay in the address', async () => {
  await page.goto(gateway.url);
  await page.locator('#login').waitFor();
  await page.goto(`${gateway.url}/#token=wrong`);
  await page.reload();
  await shown('#login-error', /./);
  await page.locator('#token').fill(gateway.token);
  await page.locator('#login button').click();
  await shown('#grade', 'ok');
  await shown('#tree', 'ingress');
  expect(page.url()).not.toContain('token');
});

it('answers what is typed, word by word, and keeps it over a reload', async () => {
  await page.locator('#text').fill('hello from the browser');
  await page.locator('#chat button').first().click();
  await shown('#messages li', '"hello from the browser"');
  await page.reload();
  await shown('#messages li', '"hello from the browser"');
  expect(await page.locator('#messages li').count()).toBeGreaterThanOrEqual(2);
});

it('shows the next life of an actor that was killed, without a reload, and goes on by itself after kill -9', async () => {
  const wire = await gateway.wire();
  await wire.ask('actor.kill', { path: 'gateway/core/work/lanes/main' });
  await row('lanes').waitFor();
  await expect.poll(() => row('main').innerText(), { timeout: LIMIT_MS }).toMatch(/\b2\b/);
  const pid = gateway.gatewayPid();
  process.kill(pid, 'SIGKILL');
  await gateway.ready(pid);
  // Until then the page may still show the life that is gone.
  await expect.poll(() => row('main').innerText(), { timeout: LIMIT_MS }).not.toMatch(/\b2\b/);
  await shown('#link', /^\s*connected/);
  await page.locator('#text').fill('still there?');
  await page.locator('#chat button').first().click();
  await shown('#messages li', '"still there?"');
});

it('throws nothing meanwhile', () => {
  expect(complaints).toEqual([]);
});
