/** The page at `/`: asks for the token, then shows health, the tree and a chat. */
import { createChatView, type ChatEvent, type ChatMessage } from './chat-view.ts';
import { openLink, type Hello, type Link } from './gateway-link.ts';
import { createTreeView, type Node } from './tree-view.ts';

interface Health {
  readonly grade: string;
  readonly reasons: readonly string[];
}

interface AgentEvent {
  readonly stream: string;
  readonly sessionKey: string;
  readonly data: { readonly phase?: string; readonly name?: string; readonly isError?: boolean };
}

const TOKEN_KEY = 'coppice.token';
const byId = <E extends HTMLElement = HTMLElement>(id: string): E => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element "${id}"`);
  return found as E;
};

const tree = createTreeView(byId('tree'), byId('tree-count'));
const chat = createChatView(byId('messages'));
const text = byId<HTMLTextAreaElement>('text');
const abort = byId<HTMLButtonElement>('abort');
let link: Link | undefined;
let tokenGiven = false;
let sessionKey = 'agent:main:main';

/** The token of the address is taken out of the address at once, so that it stays out of histories. */
function takeToken(): string | undefined {
  const fragment = new URLSearchParams(location.hash.slice(1)).get('token');
  if (location.hash) history.replaceState(null, '', location.pathname);
  if (fragment) sessionStorage.setItem(TOKEN_KEY, fragment);
  return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
}

function showHealth({ grade, reasons }: Health): void {
  const badge = byId('grade');
  badge.dataset['grade'] = grade;
  badge.textContent = grade;
  const items = reasons.map((reason) => {
    const item = document.createElement('li');
    item.textContent = reason;
    return item;
  });
  byId('reasons').replaceChildren(...items);
}

function askForToken(reason: string): void {
  byId('main').hidden = true;
  byId('login').hidden = false;
  byId('login-error').textContent = reason;
  byId('token').focus();
}

/** What follows a request that failed is said beside the chat. */
function tell(work: Promise<unknown>): void {
  work.then(
    () => (byId('chat-error').textContent = ''),
    (error: unknown) =>
      (byId('chat-error').textContent = error instanceof Error ? error.message : String(error)),
  );
}

async function load(current: Link): Promise<void> {
  const { tree: root } = await current.request<{ tree: Node }>('tree.subscribe');
  tree.show(root);
  const { messages } = await current.request<{ messages: ChatMessage[] }>('chat.history', { sessionKey });
  chat.history(messages);
  const { models } = await current.request<{ models: { provider: string }[] }>('models.list');
  byId('loopback').hidden = models.some((model) => model.provider !== 'loopback');
}

function welcome(hello: Hello): void {
  sessionKey = hello.snapshot.sessionDefaults.mainSessionKey;
  byId('login').hidden = true;
  byId('main').hidden = false;
  byId('link').textContent = 'connected';
  showHealth(hello.snapshot.health as Health);
  if (link) tell(load(link));
}

function onEvent(name: string, payload: unknown): void {
  if (name === 'tree') tree.show((payload as { tree: Node }).tree);
  else if (name === 'health') showHealth(payload as Health);
  else if (name === 'chat') onChat(payload as ChatEvent);
  else if (name === 'agent') onAgent(payload as AgentEvent);
  else if (name === 'shutdown')
    byId('link').textContent = `the gateway goes down: ${(payload as { reason: string }).reason}`;
}

function onChat(event: ChatEvent): void {
  if (event.sessionKey === sessionKey) abort.disabled = !chat.hear(event);
}

function onAgent({ stream, sessionKey: of, data }: AgentEvent): void {
  if (of !== sessionKey || stream !== 'tool') return;
  chat.tool(data.phase === 'start' ? `${data.name} …` : `${data.name} ${data.isError ? 'failed' : 'done'}`);
}

function lost(reason: string, final: boolean): void {
  byId('link').textContent = final ? 'not connected' : `connection lost (${reason}); trying again`;
  if (!final) return;
  sessionStorage.removeItem(TOKEN_KEY);
  askForToken(tokenGiven ? reason : '');
}

function connect(token: string | undefined): void {
  link?.close();
  tokenGiven = token !== undefined;
  byId('link').textContent = 'connecting';
  link = openLink(token, { welcome, event: onEvent, lost });
}

/** `crypto.randomUUID` is only there on https and localhost; this is there everywhere. */
function freshKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}

async function send(current: Link, message: string): Promise<void> {
  const idempotencyKey = freshKey();
  chat.said(message);
  chat.expect(idempotencyKey);
  abort.disabled = false;
  try {
    await current.request('chat.send', { sessionKey, message, idempotencyKey });
  } catch (error) {
    chat.failed(idempotencyKey, error instanceof Error ? error.message : String(error));
    abort.disabled = true;
    throw error;
  }
}

byId<HTMLFormElement>('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const token = byId<HTMLInputElement>('token').value.trim();
  sessionStorage.setItem(TOKEN_KEY, token);
  connect(token);
});
byId<HTMLFormElement>('chat').addEventListener('submit', (event) => {
  event.preventDefault();
  const message = text.value.trim();
  if (!message || !link) return;
  text.value = '';
  tell(send(link, message));
});
text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId<HTMLFormElement>('chat').requestSubmit();
});
abort.addEventListener('click', () => {
  if (link) tell(link.request('chat.abort', { sessionKey }));
});
connect(takeToken());
