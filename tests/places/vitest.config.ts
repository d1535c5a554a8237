import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const root = join(import.meta.dirname, '../..');

export default defineConfig({
  root,
  test: {
    include: ['tests/places/*.test.ts'],
    globalSetup: ['./tests/package/pack-once.ts'],
    reporters: ['default', './tests/support/plain-summary.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    // most of what they do is wait for other processes
    maxWorkers: 4,
  },
});
