import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { servePage } from '../../scripts/examples.ts';
import type { TreeNode } from '../../src/supervisor/index.ts';
import { openBrowser } from './browser.ts';
import { eventually } from './wire.ts';

const ROOT = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'coppice-e2e-embedding-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('examples/browser in Chromium', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  const faults: string[] = [];

  beforeAll(async () => {
    server = await servePage(0);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });
  beforeEach(async () => {
    faults.length = 0;
    const context = await browser.newContext({ viewport: { width: 1200, height: 860 } });
    page = await context.newPage();
    await page.clock.install();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await stopTime();
    await shows('ann', 'idle', 1);
    await shows('bob', 'idle', 1);
  });
  afterEach(async () => {
    expect(faults).toEqual([]);
    await page.context().close();
  });

  // Time passes in the page only while a test looks: what it waits for cannot be over before it was seen.
  const stopTime = async () => page.clock.pauseAt((await page.evaluate<number>('Date.now()')) + 60_000);
  const inPage = (what: string, look: () => Promise<boolean>) =>
    eventually(what, async () => {
      if (await look()) return true;
      await page.clock.runFor(50);
      return undefined;
    });
  const press = (user: string, label: string) => page.click(`#${user} button:text-is("${label}")`);
  const text = (selector: string) => page.locator(selector).innerText();
  /** The box that is highlighted, its first line, and the life in the heading. */
  const shown = async (user: string): Promise<string> => {
    const boxes = await page.locator(`#${user} svg .current tspan:first-child`).allTextContents();
    return `${await text(`#${user} h2`)}: ${boxes.join(' + ')}`;
  };
  const shows = (user: string, state: string, life: number) =>
    inPage(
      `${user} to be ${state} in life ${life}`,
      async () => (await shown(user)) === `${user}, life ${life}: ${state}`,
    );
  const said = (user: string, line: RegExp) =>
    inPage(`${user}: ${line}`, async () => line.test(await text(`#${user} pre`)));

  test('the drawing follows a turn from idle over processing to idle, and the words appear as they come', async () => {
    await press('ann', 'say hello');
    await shows('ann', 'processing', 1);
    await said('ann', /typing: You/);
    expect(await text('#tree')).toContain('page/ann/run: active, life 1');
    expect(await shown('bob')).toBe('bob, life 1: idle');
    await page.screenshot({ path: join(scratch, 'processing.png') });
    await said('ann', /user: hello\nassistant: You said hello\. Before that we had 0 lines\./);
    await shows('ann', 'idle', 1);
    expect(await text('#tree')).not.toContain('/run');
    const states = await page.locator('#ann svg .state tspan:first-child').allTextContents();
    expect(states).toEqual(expect.arrayContaining(['loading', 'idle', 'processing', 'waiting', 'failed']));
  });

  test('one that is killed while it answers shows its next life, which answers; the other lives its first', async () => {
    await press('ann', 'say hello');
    await press('bob', 'say hello');
    await said('ann', /typing: You said/);
    await press('ann', 'kill');
    await shows('ann', 'processing', 2);
    expect(await text('#reports')).toMatch(/child terminated: page\/ann, life 1/);
    await page.screenshot({ path: join(scratch, 'killed.png') });
    await Promise.all(
      ['ann', 'bob'].map((user) => said(user, /^user: hello\nassistant: You said hello.*lines\./)),
    );
    await shows('ann', 'idle', 2);
    expect(await shown('bob')).toBe('bob, life 1: idle');
    expect(await text('#reports')).not.toContain('terminated: page/bob');
  });

  test('a model that throws is shown as a turn that begins again, then says why; the session lives', async () => {
    await press('ann', 'make it choke');
    const current = page.locator('#ann svg .current');
    await inPage(
      'it to be backing off',
      async () => !!(await current.textContent())?.includes('turn: backing'),
    );
    await said('ann', /this model chokes on that/);
    await shows('ann', 'idle', 1);
  });

  test('aborted, it keeps what it had said; after an idle hour it is asleep and nobody restarts it; a word wakes it', async () => {
    await press('ann', 'say hello');
    await said('ann', /typing: You said/);
    await press('ann', 'abort');
    await said('ann', /^user: hello\nassistant: You said(?!.*lines)/);
    await press('ann', 'let an hour pass');
    await inPage('sleep', async () => (await shown('ann')) === 'ann, asleep: ');
    expect(await text('#tree')).not.toContain('page/ann');
    await press('ann', 'say hello');
    await said('ann', /Before that we had 2 lines\./);
  });

  test('a phone shows all of it, one below the other, and nothing beyond its edge; kill is red, by day and by night', async () => {
    const colour = () =>
      page.evaluate<string>(`getComputedStyle(document.querySelector('#ann button:last-child')).color`);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')).toEqual([390, 390]);
    const [day, night] = [await colour(), await page.emulateMedia({ colorScheme: 'dark' }).then(colour)];
    expect([day, night]).toEqual(['rgb(180, 35, 24)', 'rgb(255, 143, 133)']);
  });

  test('what was said, and what is owed, outlives a reload of the page', async () => {
    await press('ann', 'say hello');
    await said('ann', /typing: You/);
    await page.reload();
    await stopTime();
    await said('ann', /^user: hello\nassistant: You said hello\. Before that we had 0 lines\./);
  });
});

describe('examples/express as a process', () => {
  let child: ChildProcess;
  let url: string;
  let lines: string[] = [];
  let chats: string;
  const events = () =>
    lines.map((line) => JSON.parse(line) as { readonly event: string; readonly childPath?: string });

  async function start(): Promise<void> {
    lines = [];
    child = spawn(
      process.execPath,
      ['--import', join(ROOT, 'test/examples/resolve-source.ts'), join(ROOT, 'examples/express/main.ts')],
      { cwd: ROOT, env: { ...process.env, PORT: '0', CHATS: chats }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let errors = '';
    child.stderr!.on('data', (chunk: Buffer) => (errors += String(chunk)));
    let rest = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      const parts = (rest + String(chunk)).split('\n');
      rest = parts.pop()!;
      lines.push(...parts);
    });
    const port = await eventually('its port', () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${errors}`);
      const line = lines.find((one) => one.includes('"listening"'));
      return line === undefined ? undefined : (JSON.parse(line) as { readonly port: number }).port;
    });
    url = `http://127.0.0.1:${port}`;
  }
  const post = (path: string, body: object = {}) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const chat = async (user: string, words: string) => {
    const response = await post(`/chat/${encodeURIComponent(user)}`, { text: words });
    return { code: response.status, ...((await response.json()) as { readonly text: string }) };
  };
  const lives = async (): Promise<Record<string, string>> => {
    const { children } = (await (await fetch(`${url}/tree`)).json()) as TreeNode;
    const all = children.flatMap((node) => [node, ...node.children]);
    return Object.fromEntries(all.map(({ path, incarnation, status }) => [path, `${incarnation} ${status}`]));
  };
  const life = (user: string, wanted: string) =>
    eventually(`${user} to be ${wanted}`, async () =>
      (await lives())[`app/sessions/${user}`] === wanted ? true : undefined,
    );

  beforeEach(async () => {
    chats = mkdtempSync(join(scratch, 'chats-'));
    await start();
  });
  afterEach(() => void child.kill('SIGKILL'));

  test('gives each user a session with a file of its own, whatever the name, and goes on after a restart', async () => {
    for (const user of ['ann', 'a/b %', 'zoë'])
      expect(await chat(user, 'hi')).toMatchObject({ code: 200, text: 'You said: hi (after 0 lines)' });
    const first = once(child, 'exit');
    child.kill('SIGINT');
    await first;
    await start();
    expect(await chat('ann', 'again')).toMatchObject({ text: 'You said: again (after 2 lines)' });
    expect(await chat('zoë', 'again')).toMatchObject({ text: 'You said: again (after 2 lines)' });
  });

  test('a session that is killed comes back with what was said; the others never notice', async () => {
    await Promise.all([chat('ann', 'one'), chat('bob', 'one')]);
    expect(await (await post('/kill/ann')).json()).toEqual({ path: 'app/sessions/ann', incarnation: 1 });
    await life('ann', '2 running');
    expect(await chat('ann', 'two')).toMatchObject({ text: 'You said: two (after 2 lines)' });
    expect(await lives()).toMatchObject({
      'app/server': '1 running',
      'app/sessions': '1 running',
      'app/sessions/bob': '1 running',
    });
    expect(events().filter(({ event }) => event === 'child_terminated')).toEqual([
      { event: 'child_terminated', childPath: 'app/sessions/ann', childIncarnation: 1 },
    ]);
  });

  test('one whose file cannot be written crashes and is started anew, alone; repaired, it answers the request that waits', async () => {
    await Promise.all([chat('ann', 'one'), chat('bob', 'one')]);
    const hindrance = join(chats, 'ann.json.new');
    const owed = (): number =>
      (JSON.parse(readFileSync(join(chats, 'ann.json'), 'utf8')) as { pending: unknown[] }).pending.length;
    const crashed = () =>
      events().some(
        ({ event, childPath }) => event === 'child_terminated' && childPath === 'app/sessions/ann',
      );
    /** Puts a folder where the next commit writes, between the message and its answer. Undefined: it came too late. */
    const hinder = async () => {
      const answer = chat('ann', 'two');
      let answered = false;
      const end = () => void (answered = true);
      answer.then(end, end);
      await eventually('it to be written down', () => owed() > 0 || answered || undefined);
      mkdirSync(hindrance);
      await eventually('a crash, or an answer', () => crashed() || answered || undefined);
      if (crashed()) return { answer };
      rmdirSync(hindrance);
      return undefined;
    };
    const { answer } = await eventually('a commit that is hindered', hinder);
    await life('ann', '2 running');
    expect(await chat('bob', 'two')).toMatchObject({ text: 'You said: two (after 2 lines)' });
    rmdirSync(hindrance);
    expect(await answer).toMatchObject({ code: 200, text: expect.stringMatching(/^You said: two/) });
    expect(await lives()).toMatchObject({ 'app/server': '1 running', 'app/sessions/bob': '1 running' });
  });

  test('Ctrl-C stops in order: no new request, the answers it owes, its sessions, the process', async () => {
    await chat('bob', 'one');
    const answer = chat('ann', 'the last');
    await eventually('it to be at work', async () =>
      events().some(({ childPath }) => childPath === 'app/sessions/ann') ? true : undefined,
    );
    // And all that it wrote is read.
    const ended = once(child, 'close');
    child.kill('SIGINT');
    expect(await answer).toMatchObject({ code: 200, text: 'You said: the last (after 0 lines)' });
    expect(await ended).toEqual([0, null]);
    await expect(post('/chat/ann', { text: 'too late' })).rejects.toThrow();
    const last = events()
      .slice(-4)
      .map(({ event, childPath }) => [event, childPath].filter(Boolean).join(' '));
    expect(last).toEqual(['closed', 'shutdown app/sessions', 'shutdown app', 'stopped']);
  });
});
