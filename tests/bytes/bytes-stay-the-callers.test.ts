/** Bytes that were not handed over, kept in database files. */
import { sqlite } from '../support/files.ts';
import { describeCallersBytes } from './bytes-stay-the-callers-suite.ts';

describeCallersBytes(sqlite);
