/** Gets `node:sqlite` without the warning that it is experimental: that is our business, not the program's. */

function load(): typeof import('node:sqlite') {
  // this thread's own `process`: nothing of the program's is touched
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return require('node:sqlite') as typeof import('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}

export const { DatabaseSync } = load();
