/** The contract, and what this package adds to it: all that an engine has to keep. */
import { freshFile } from '../support/files.ts';
import { describeContract } from './contract-suite.ts';
import { describeOptions, type OpenWithOptions } from './options-suite.ts';
import { describeRecords } from './records-suite.ts';
import { describeWholeStores } from './whole-stores-suite.ts';

/** @param freshPlace - names a database that is not there yet */
export function describeEverySuite(
  name: string,
  open: OpenWithOptions,
  freshPlace: () => string | Promise<string> = freshFile,
): void {
  describeContract(name, open, freshPlace);
  describeWholeStores(name, open, freshPlace);
  describeRecords(name, open, freshPlace);
  describeOptions(name, open, freshPlace);
}
