/** Where a worker for operations on whole files begins. */
import type { OperationName, Operations } from '../../../protocol/operation-messages.ts';
import { keepsStatementsOpen } from '../../sqlite/node-sqlite.ts';
import type { Progress } from '../progress.ts';
import { serve } from '../serve.ts';
import { backup } from './backup.ts';
import { compact } from './compact.ts';
import { describe } from './describe.ts';
import { verify } from './verify.ts';

type Run<Given> = (given: Given, progress: Progress) => unknown;

const runs = { backup, verify, compact, describe } satisfies {
  [Name in Exclude<OperationName, 'copy'>]: Run<Operations[Name]['given']>;
};

serve(
  ({ operation, given }, progress) => (runs[operation as keyof typeof runs] as Run<object>)(given, progress),
  // where closing a database leaves it open, only the end of the thread closes it
  keepsStatementsOpen(),
);
