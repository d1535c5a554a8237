/** Several processes append to one store of a database file, and compact it, at random. */
import { sqlite } from '../support/files.ts';
import { describeCompactingProcesses } from './compacting-processes-suite.ts';

describeCompactingProcesses(sqlite, [11, 12]);
