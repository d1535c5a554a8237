/**
 * When foreign code runs that is told something: subscribers, and whatever a program has put in the place of
 * `process.emitWarning` and stderr. What is to be told is noted while queues and workers change, and told when
 * none of our code is in the middle of anything: as the last thing of the call that brought it about (a subscriber that
 * guards itself against recursion is then told of its own calls within them), or else in a microtask of its own.
 */

import { setImmediate, soon } from '../../protocol/surroundings.ts';

type Note = () => void;

/** Of all copies of this module, of other versions, too: `documents.cjs` has one, and leaves it to the library's to tell at the end. */
interface Notes {
  due: Note[];
  isTelling: boolean;
  /** Whether the process is in its `exit` event: from then on nothing asynchronous happens. */
  isExiting: boolean;
  /** Process warnings that Node prints in the next tick, unless the process ends before that. Earlier versions have none. */
  unprinted?: Set<string>;
}

const NOTES = Symbol.for('sds-persistence-worker.notes');
const holder = globalThis as { [NOTES]?: Notes };
holder[NOTES] ??= { due: [], isTelling: false, isExiting: false };
const notes = holder[NOTES];
notes.unprinted ??= new Set();
export const { unprinted } = notes;

/** Whatever `tell` throws is an uncaught error, as Node has it for subscribers. */
export function note(tell: Note): void {
  if (notes.due.push(tell) === 1) void soon(tellNoted);
}

/**
 * The last thing that each public call does. What is noted meanwhile, by calls from within, is told by these; but not at exit, where
 * a call is committed before it returns: a subscriber that calls whenever something is committed would never come to an end.
 */
export function tellNoted(): void {
  if (notes.due.length === 0 || (notes.isTelling && notes.isExiting)) return;
  const { due, isTelling } = notes;
  notes.due = [];
  notes.isTelling = true;
  for (const tell of due) {
    try {
      tell();
    } catch (error) {
      // from here on it is nobody's but the program's
      setImmediate(() => {
        throw error;
      });
    }
  }
  notes.isTelling = isTelling;
}

export function exitBegins(): void {
  notes.isExiting = true;
}

export function isExiting(): boolean {
  return notes.isExiting;
}

/** Whether no rejection and no process warning reaches anybody any more: also in `exit` listeners that come before the library's. */
export function isAtEnd(): boolean {
  return notes.isExiting || (process as { _exiting?: boolean })._exiting === true;
}
