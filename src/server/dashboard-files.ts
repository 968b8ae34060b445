/**
 * The files of the dashboard. In the package they lie beside this file as built JavaScript; in the clone they are
 * TypeScript, and the types are taken off when a file is first asked for.
 */
import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';

export interface Asset {
  readonly text: string;
  readonly type: string;
}

export interface Dashboard {
  page(): string;
  asset(name: string): Asset | undefined;
}

/** Nothing else of that directory is served. */
const SCRIPTS = ['main', 'gateway-link', 'tree-view', 'chat-view'] as const;
const JAVASCRIPT = 'text/javascript; charset=utf-8';

export function createDashboard(version: string): Dashboard {
  const base = new URL('./dashboard/', import.meta.url);
  const read = (name: string): string => readFileSync(new URL(name, base), 'utf8');
  const extension = existsSync(new URL('main.js', base)) ? 'js' : 'ts';
  const loaders = new Map<string, () => Asset>([
    ['style.css', () => ({ text: read('style.css'), type: 'text/css; charset=utf-8' })],
    ...SCRIPTS.map((name): [string, () => Asset] => [
      `${name}.${extension}`,
      () => ({ text: script(read(`${name}.${extension}`)), type: JAVASCRIPT }),
    ]),
  ]);
  const script = (text: string): string => (extension === 'js' ? text : stripTypeScriptTypes(text));
  const loaded = new Map<string, Asset>();
  return {
    page: () =>
      read('index.html')
        .replaceAll('{{extension}}', extension)
        .replaceAll('{{version}}', escapeHtml(version)),
    asset(name) {
      const known = loaded.get(name) ?? loaders.get(name)?.();
      if (known) loaded.set(name, known);
      return known;
    },
  };
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
