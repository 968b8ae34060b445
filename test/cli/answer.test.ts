import { describe, expect, test } from 'vitest';
import { Answer, toolLine } from '../../src/cli/render/answer.ts';
import { plain } from '../../src/cli/render/style.ts';

function shown(terminal = true) {
  const out: string[] = [];
  const answer = new Answer({
    terminal,
    write: (text) => void out.push(text),
    note: (line) => void out.push(`<${line}>\n`),
  });
  return { answer, text: () => out.join('') };
}

describe('an answer that arrives in pieces', () => {
  test('is shown piece by piece, and ends with one line break', () => {
    const { answer, text } = shown();
    answer.text('one ');
    answer.text('one two');
    answer.end('one two three');
    expect(text()).toBe('one two three\n');
  });

  test('that begins anew after a crash with the same words survives: none of them is said twice', () => {
    const { answer, text } = shown();
    answer.text('one two ');
    answer.text('one ');
    answer.text('one two ');
    answer.text('one two three');
    answer.end('one two three');
    expect(text()).toBe('one two three\n');
  });

  test('that begins anew with other words is said whole, with a remark', () => {
    const { answer, text } = shown();
    answer.text('one two ');
    answer.text('eins ');
    answer.end('eins zwei');
    expect(text()).toBe('one two \n<the answer begins again>\neins zwei\n');
  });

  test('whose end nobody heard is completed from the record', () => {
    const { answer, text } = shown();
    answer.text('one ');
    answer.end('one two three');
    expect(text()).toBe('one two three\n');
  });

  test('whose record is shorter than what was heard shows the record', () => {
    const { answer, text } = shown();
    answer.text('one two three');
    answer.end('one');
    expect(text()).toBe('one two three\n<the answer begins again>\none\n');
  });

  test('of a failed turn keeps what was heard', () => {
    const { answer, text } = shown();
    answer.text('one ');
    answer.end('');
    expect(text()).toBe('one \n');
  });

  test('is interrupted by a remark on a line of its own', () => {
    const { answer, text } = shown();
    answer.text('one ');
    answer.remark('reconnecting');
    answer.text('one two');
    expect(text()).toBe('one \n<reconnecting>\ntwo');
  });

  test('in a pipe is not touched by a remark, which goes elsewhere', () => {
    const { answer, text } = shown(false);
    answer.text('one ');
    answer.remark('reconnecting');
    answer.end('one two');
    expect(text().replace('<reconnecting>\n', '')).toBe('one two\n');
  });

  test('cannot write to the terminal of its reader, and is left as it is in a pipe', () => {
    const evil = 'a\u001b[2Jb\n\tc';
    const terminal = shown();
    terminal.answer.end(evil);
    expect(terminal.text()).toBe('a\ufffd[2Jb\n\tc\n');
    const pipe = shown(false);
    pipe.answer.end(evil);
    expect(pipe.text()).toBe(`${evil}\n`);
  });
});

describe('a tool call', () => {
  test('is one line, cut to the width of the terminal', () => {
    const args = { path: 'a\n'.repeat(100) };
    const line = toolLine({ phase: 'start', name: 'read_file', args }, plain, 40)!;
    expect(line).toMatch(/^· read_file \{"path":"a/);
    expect(line.length).toBe(40);
    expect(line).not.toContain('\n');
  });

  test('without arguments shows its name alone', () => {
    expect(toolLine({ phase: 'start', name: 'list', args: {} }, plain)).toBe('· list');
  });

  test('that ended well says nothing more, and one that failed says why', () => {
    expect(toolLine({ phase: 'result', name: 'list', result: 'x' }, plain)).toBeUndefined();
    expect(toolLine({ phase: 'result', name: 'list', result: 'no such folder', isError: true }, plain)).toBe(
      '· list failed: no such folder',
    );
  });
});
