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

// Fast suites run in parallel threads; whatever starts a real process runs alone in `e2e`.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/long/**'],
          env: { COPPICE_XSTATE_BUILD: 'development' },
          testTimeout: 20_000,
        },
      },
      {
        plugins: [productionBuilds],
        test: {
          name: 'unit-production',
          include: ['test/{conformance,supervisor,model-based}/**/*.test.ts'],
          env: { COPPICE_XSTATE_BUILD: 'production' },
          testTimeout: 20_000,
          server: { deps: { inline: [/xstate/] } },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
