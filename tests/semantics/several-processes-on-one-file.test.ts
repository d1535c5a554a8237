/** Several processes at work on one database file. */
import { sqlite } from '../support/files.ts';
import { describeSeveralProcesses } from './several-processes-suite.ts';

describeSeveralProcesses(sqlite, [11, 12]);
