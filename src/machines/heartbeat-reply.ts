/** How a heartbeat's reply counts: nothing said, the token that all is well, or something for people. */
export type HeartbeatReply = 'ok-empty' | 'ok-token' | 'sent';

const TOKEN = 'HEARTBEAT_OK';

/**
 * The token counts at the start or the end of the reply, inside mark-up and before at most four other
 * non-word characters, when at most `ackMaxChars` characters are left beside it.
 */
export function classifyHeartbeatReply(text: string, ackMaxChars: number): HeartbeatReply {
  const plain = withoutMarkup(text);
  if (plain === '') return 'ok-empty';
  const rest = besideToken(plain);
  return rest !== undefined && rest.length <= ackMaxChars ? 'ok-token' : 'sent';
}

function withoutMarkup(text: string): string {
  return text
    .replaceAll(/<[^>]{0,200}>/g, ' ')
    .replaceAll('&nbsp;', ' ')
    .replaceAll(/^[*`~_\s]+|[*`~_\s]+$/g, '');
}

function besideToken(plain: string): string | undefined {
  if (plain.startsWith(TOKEN) && !/^\w/.test(plain.slice(TOKEN.length)))
    return plain
      .slice(TOKEN.length)
      .replace(/^\W{1,4}/, '')
      .trim();
  const tail = /^([\s\S]*?)(\W{0,4})$/.exec(plain)?.[1] ?? plain;
  const head = tail.slice(0, -TOKEN.length);
  return tail.endsWith(TOKEN) && !/\w$/.test(head) ? head.trim() : undefined;
}
