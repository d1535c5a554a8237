import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // they have commands of their own
    exclude: ['**/node_modules/**', 'tests/places/**', 'tests/programs/**', 'tests/demo/**'],
    globalSetup: [
      './tests/support/compiled-once.ts',
      './tests/package/pack-once.ts',
      './tests/support/start-postgresql.ts',
    ],
    reporters: ['default', './tests/support/plain-summary.ts'],
    // real threads, processes and disks: a slow machine is no failure
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 120_000 } },
    // as Node loads it: there is one library, whoever imports or requires a part of it
    server: { deps: { external: [/\/dist\/[^/]+$/] } },
    pool: 'forks',
    // most of what a test does is wait: for a lease, a disk, a process. Four leave a fifth of two cores without work
    maxWorkers: 8,
  },
});
