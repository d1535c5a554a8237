/**
 * What is needed of some large modules of Node, without an `import` of them: for an ES module each name that such a module
 * exports is looked up, and that compiles much that most programs never need (`fs.promises` and with it readline, `util.diff`).
 */
export const { existsSync, readdirSync, readlinkSync, realpathSync, statSync, writeSync } =
  process.getBuiltinModule('node:fs');
export const { debuglog, types } = process.getBuiltinModule('node:util');

/** It is compiled when it is first asked for. */
export const randomUUID = (): string => process.getBuiltinModule('node:crypto').randomUUID();
