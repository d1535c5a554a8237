/** Random work on database files, side by side with the reference. */
import { sqlite } from '../support/files.ts';
import { describeSameAnswers } from './same-answers-suite.ts';

describeSameAnswers(sqlite, [1, 2, 3, 4]);
