/** Runs one rig in a process of its own, so that a crash or a hang of it is seen, and prints its findings as JSON. */
import { writeSync } from 'node:fs';
import { findingsOf } from './rig.ts';
import { rigs } from './rigs.ts';

const [name = '', seed = '1', scale = '1'] = process.argv.slice(2);
const rig = rigs[name];
if (rig === undefined) throw new Error(`there is no rig '${name}'`);
const { run } = await rig.load();
const findings = await findingsOf(run, Number(seed), Number(scale));
writeSync(3, JSON.stringify(findings));
// whatever a rig that failed has left running
process.exit(0);
