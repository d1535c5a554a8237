/** Bytes that are handed over, kept in database files. */
import { sqlite } from '../support/files.ts';
import { describeHandedOverBytes } from './handed-over-bytes-suite.ts';

describeHandedOverBytes(sqlite);
