import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { filesFor } from '../../src/actors/model-files.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import type { RunContent } from '../../src/machines/turn.ts';
import { defineProvider, type ModelInput, type Provider } from '../../src/models/index.ts';
import type { Attachment } from '../../src/store/index.ts';
import { largePng, PDF, PNG, sent } from '../store/files.ts';
import { openHouse, type House } from './house.ts';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

const candidate = { provider: 'some', model: 'one' };

/** What the files of these messages, oldest first, are to a model that takes `input`. */
async function shown(input: readonly ModelInput[] | undefined, ...messages: Attachment[][]) {
  const models = [{ id: 'one', provider: 'some', ...(input ? { input } : {}) }];
  const provider = defineProvider({
    name: 'some',
    api: 'custom',
    models: () => models,
    async *stream() {
      yield { type: 'finish', reason: 'stop' } as const;
    },
  });
  (house.deps as { providers: ReadonlyMap<string, Provider> }).providers = new Map([['some', provider]]);
  const taken = await Promise.all(messages.map((files) => house.deps.attachments.take(files)));
  const said = taken.map(({ files }) => ({ role: 'user' as const, content: files as RunContent[] }));
  const map = await filesFor(house.deps, candidate, said);
  return said.flatMap(({ content }) => content.map((part) => map.get(part)));
}
const png = sent(PNG, { mimeType: 'image/png', fileName: 'dot.png' });
const pdf = sent(PDF, { mimeType: 'application/pdf', fileName: 'a.pdf' });
const notes = sent('buy milk', { mimeType: 'text/markdown', fileName: 'notes.md' });

describe('a file, to a model', () => {
  it('that takes it, is its bytes, its type and its name', async () => {
    const [image, document] = await shown(['text', 'image', 'file'], [png, pdf]);
    expect(image).toMatchObject({ type: 'file', mediaType: 'image/png', filename: 'dot.png' });
    expect(image?.type === 'file' && Buffer.from(image.data).equals(PNG)).toBe(true);
    expect(document).toMatchObject({ type: 'file', mediaType: 'application/pdf', filename: 'a.pdf' });
  });

  it('that does not, is a line that says what it was and why it is not there', async () => {
    const large = sent(largePng(12_345), { mimeType: 'image/png', fileName: 'image.png' });
    expect(await shown(['text'], [large, pdf])).toEqual([
      { type: 'text', text: '\n[image.png, image/png, 12 kB: this model takes no images]' },
      { type: 'text', text: `\n[a.pdf, application/pdf, ${PDF.length} B: this model takes no files]` },
    ]);
    expect((await shown(['text', 'image'], [png, pdf])).map((part) => part?.type)).toEqual(['file', 'text']);
  });

  it('of text, is read by every model', async () => {
    const [plain] = await shown(['text'], [notes]);
    expect(plain).toEqual({ type: 'text', text: '\n[notes.md, text/markdown, 8 B]\nbuy milk\n' });
    const [whole] = await shown(['text', 'file'], [notes]);
    expect(whole).toMatchObject({ type: 'file', mediaType: 'text/markdown' });
  });

  it('of very much text, is cut, and says so', async () => {
    const book = sent('x'.repeat(LIMITS.fileTextBytes + 1), { mimeType: 'text/plain' });
    const [part] = await shown(['text', 'file'], [book]);
    expect(part).toMatchObject({ type: 'text', text: expect.stringMatching(/\[cut after 200 kB\]\n$/) });
  });

  it('of which nobody knows what it takes, is sent with its own message and not with later ones', async () => {
    const [before, now] = await shown(undefined, [png], [png]);
    expect(before).toMatchObject({
      type: 'text',
      text: expect.stringContaining('sent with an earlier message'),
    });
    expect(now).toMatchObject({ type: 'file' });
    const known = await shown(['text', 'image'], [png], [png]);
    expect(known.map((part) => part?.type)).toEqual(['file', 'file']);
  });

  it('is left out, the oldest first, when a request would become too large', async () => {
    const large = () => [sent(largePng(4 * 1_048_576))];
    const parts = await shown(['text', 'image'], large(), large(), large(), large(), large());
    expect(parts.map((part) => part?.type)).toEqual(['text', 'file', 'file', 'file', 'file']);
    expect(parts[0]).toMatchObject({ text: expect.stringContaining('too much for one request') });
  });

  it('that is gone from the disk, is a line, and the turn goes on', async () => {
    const { attachments } = house.deps;
    const taken = await attachments.take([png]);
    taken.release();
    expect(attachments.collect([taken.files[0]!.sha256], () => new Set())).toBe(1);
    const content = taken.files as RunContent[];
    const map = await filesFor(house.deps, candidate, [{ role: 'user', content }]);
    expect(map.get(content[0]!)).toMatchObject({ text: expect.stringContaining('not there any more') });
  });
});
