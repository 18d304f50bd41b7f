import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  // Node's own conditions. With Vite's `development` added, tests would load graphql's second build beside the one that
  // Yoga loads, and no error would be an instance of the other's GraphQLError.
  ssr: { resolve: { conditions: ['node', 'module-sync'], externalConditions: ['node', 'module-sync'] } },
  test: {
    include: ['src/**/*.test.ts', 'models/**/*.test.ts', 'bench/**/*.test.ts'],
    globalSetup: ['src/testing/global-setup.ts'],
    // Two cores: more files at a time only make each slower.
    maxWorkers: 2,
    // What is polled for comes at once on a quiet machine; this machine need not be one.
    expect: { poll: { timeout: 10_000 } },
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
