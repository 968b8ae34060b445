/**
 * Lets Node run an example as a user writes it (`import ... from 'coppice/machines'`) from the sources, without a
 * build: `node --import ./test/examples/resolve-source.ts examples/express/main.ts`.
 */
import { registerHooks } from 'node:module';
import { sourceOf } from '../../scripts/source-of.ts';

registerHooks({
  resolve: (specifier, context, next) => next(sourceOf(specifier)?.href ?? specifier, context),
});
