import { defineConfig, type ViteUserConfig } from 'vitest/config';

type Plugin = Extract<NonNullable<ViteUserConfig['plugins']>[number], { name: string }>;

/**
 * The runner asks for packages' `development` builds, which is not what users run: XState warns and refuses in one and
 * not in the other. Dropping the condition alone gives a mixed run (`isProduction` decides too), and XState must go
 * through the runner (`inline`), or Node resolves it by its own conditions.
 */
const productionBuilds: Plugin = {
  name: 'production-builds',
  configResolved(config) {
    Object.assign(config, { isProduction: true });
    const kept = (conditions: readonly string[]): string[] =>
      conditions.filter((condition) => !condition.startsWith('development'));
    for (const { resolve } of [config.ssr, ...Object.values(config.environments)]) {
      if (resolve?.conditions) resolve.conditions = [...kept(resolve.conditions), 'production'];
      if (resolve?.externalConditions)
        resolve.externalConditions = [...kept(resolve.externalConditions), 'production'];
    }
  },
};

/** Of `expect.poll`: by itself it waits for one second, which a busy machine may take for anything. */
const PATIENT = { poll: { timeout: 30_000 } };

// Fast suites run in parallel threads; whatever starts a real process runs alone in `e2e`.
export default defineConfig({
  test: {
    projects: [
      {
        // Generated suites import what a user imports.
        resolve: {
          alias: [{ find: /^coppice\/(\w+)$/, replacement: `${import.meta.dirname}/src/$1/index.ts` }],
        },
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/long/**'],
          env: { COPPICE_XSTATE_BUILD: 'development' },
          // One would leave a core idle: many of these tests wait for sockets, disks and processes.
          maxWorkers: 2,
          testTimeout: 60_000,
          expect: PATIENT,
        },
      },
      {
        plugins: [productionBuilds],
        test: {
          name: 'unit-production',
          include: ['test/{conformance,supervisor,model-based}/**/*.test.ts'],
          exclude: ['test/model-based/mutation.test.ts'],
          env: { COPPICE_XSTATE_BUILD: 'production' },
          testTimeout: 60_000,
          expect: PATIENT,
          server: { deps: { inline: [/xstate/] } },
        },
      },
      {
        // What imports XState goes through the runner, or two versions of it would meet.
        resolve: { alias: { xstate: 'xstate-oldest' } },
        test: {
          name: 'oldest-xstate',
          include: ['test/{conformance,supervisor,model-based}/**/*.test.ts'],
          // Long runs over what the others run through too: random trees against Erlang, cost, the composed house.
          exclude: [
            'test/conformance/{differential,scale}.test.ts',
            'test/model-based/{composed*,mutation,tool-loop}.test.ts',
          ],
          env: { COPPICE_XSTATE_BUILD: 'development', COPPICE_XSTATE: 'xstate-oldest' },
          testTimeout: 60_000,
          expect: PATIENT,
          server: { deps: { inline: [/xstate/] } },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          // Bounds of a hang, not of slowness: a shared machine may be ten times slower for a minute.
          testTimeout: 180_000,
          expect: PATIENT,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
