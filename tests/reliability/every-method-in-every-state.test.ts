/** Every method in every state of a provider on a database file. */
import { sqlite } from '../support/files.ts';
import { describeEveryState } from './every-state-suite.ts';

describeEveryState(sqlite);
