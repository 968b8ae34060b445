/** The chat: what was said, what is being said, and what tools did meanwhile. */

export interface ChatMessage {
  readonly role: string;
  readonly content: readonly {
    readonly type: string;
    readonly text?: string;
    readonly toolName?: string;
    readonly output?: unknown;
    readonly fileName?: string;
    readonly mediaType?: string;
    readonly bytes?: number;
  }[];
  readonly runId?: string;
}

export interface ChatEvent {
  readonly runId: string;
  readonly sessionKey: string;
  readonly state: 'delta' | 'final' | 'aborted' | 'error';
  readonly message?: ChatMessage;
  readonly errorMessage?: string;
}

export function createChatView(list: HTMLElement) {
  const streaming = new Map<string, HTMLElement>();
  const follow = (change: () => void): void => {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    change();
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
  const add = (role: string, text: string): HTMLElement => {
    const item = document.createElement('li');
    item.dataset['role'] = role;
    item.textContent = text;
    follow(() => list.append(item));
    return item;
  };
  const answerOf = (runId: string): HTMLElement => {
    const known = streaming.get(runId);
    if (known) return known;
    const item = add('agent', '');
    item.dataset['state'] = 'streaming';
    streaming.set(runId, item);
    return item;
  };
  return {
    said: (text: string) => void add('you', text),
    tool: (text: string) => void add('tool', text),
    expect: (runId: string) => void answerOf(runId),
    failed(runId: string, reason: string): void {
      const item = answerOf(runId);
      item.textContent = reason;
      item.dataset['state'] = 'error';
      streaming.delete(runId);
    },
    /** Returns whether the run goes on. */
    hear(event: ChatEvent): boolean {
      const item = answerOf(event.runId);
      const text = event.message ? textOf(event.message) : item.textContent;
      follow(() => (item.textContent = ending(event, text ?? '')));
      if (event.state === 'delta') return true;
      streaming.delete(event.runId);
      item.dataset['state'] = event.state;
      return false;
    },
    history(messages: readonly ChatMessage[]): void {
      streaming.clear();
      list.replaceChildren();
      for (const message of messages) {
        const text = textOf(message);
        if (text) add(ROLES[message.role] ?? message.role, text);
      }
      list.scrollTop = list.scrollHeight;
    },
  };
}

const ROLES: Readonly<Record<string, string>> = { user: 'you', assistant: 'agent' };

function ending(event: ChatEvent, text: string): string {
  if (event.state === 'error') return `${text ? `${text}\n` : ''}${event.errorMessage ?? 'the run failed'}`;
  return event.state === 'aborted' ? `${text} (stopped)` : text;
}

export function textOf(message: ChatMessage): string {
  return message.content
    .map((part) =>
      part.type === 'text'
        ? (part.text ?? '')
        : part.type === 'tool-result'
          ? `${part.toolName}: ${JSON.stringify(part.output)}`
          : part.type === 'file'
            ? `[${[part.fileName, part.mediaType, `${part.bytes} bytes`].filter(Boolean).join(', ')}]`
            : '',
    )
    .filter((text) => text !== '')
    .join('\n');
}
