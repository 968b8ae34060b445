#!/usr/bin/env node
// Plain JavaScript that Node 20 can parse: it must live long enough to say what is needed.
import { existsSync } from 'node:fs';
import module from 'node:module';

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `coppice needs Node 24 or newer; this is Node ${process.versions.node} (${process.execPath}). ` +
      'Install it from https://nodejs.org or with your version manager (nvm install 24); in a clone, start through npm (npm start, npm run coppice -- ...). COPPICE_NODE_TOO_OLD\n',
  );
  process.exit(1);
}

// A start compiles some hundred files; from the second one on they come compiled from Node's own cache.
module.enableCompileCache?.();

const built = new URL('../dist/cli/main.js', import.meta.url);
const source = new URL('../src/cli/main.ts', import.meta.url);
const { main } = await import((existsSync(built) ? built : source).href);
process.exitCode = await main(process.argv.slice(2));
