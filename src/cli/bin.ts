#!/usr/bin/env node
/** Where `npx sds-persistence-worker` begins: says so if this Node is too old, before anything that it can't read is loaded. */
import { whatIsMissing } from '../protocol/node-version.ts';

const missing = whatIsMissing();
if (missing !== undefined) {
  process.stderr.write(`${missing}, or run 'npx -p node@22 -p sds-persistence-worker sds-persistence-worker …'.\n`);
  process.exitCode = 1;
} else {
  // the rest of the command line, beside this file
  const program = './cli.js';
  await import(program);
}
