/** Ends the import on a Node that is too old: else the first call would fail with whatever that Node lacks. Imported before all others. */
import { whatIsMissing } from '../protocol/node-version.ts';

const missing = whatIsMissing();
if (missing !== undefined) throw new Error(`${missing}.`);
