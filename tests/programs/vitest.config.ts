import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

export default defineConfig({
  root: join(import.meta.dirname, '../..'),
  test: {
    ...base.test,
    globalSetup: [...(base.test?.globalSetup ?? []), './tests/programs/peers-once.ts'],
    include: [
      'tests/programs/*.test.ts',
      'tests/demo/*.test.ts',
      'examples/**/tests/*.test.ts',
      // once more, with the example whose packages are there now
      'tests/life/a-signal-to-npm.test.ts',
    ],
    exclude: ['**/node_modules/**'],
  },
});
