#!/usr/bin/env node
/** Where `npx sds-persistence-worker` begins: says so if this Node is too old, before anything that it can't read is loaded. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 5)) {
  process.stderr.write(
    `sds-persistence-worker needs Node 22.5 or later, which has SQLite, and this is Node ${process.versions.node}: install a newer one, or run 'npx -p node@22 -p sds-persistence-worker sds-persistence-worker …'.\n`,
  );
  process.exitCode = 1;
} else {
  // the rest of the command line, beside this file
  const program = './cli.js';
  await import(program);
}
