/** The editor: CodeMirror on the document of one of the two servers. */
import { defaultKeymap } from '@codemirror/commands';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightSpecialChars, keymap, placeholder } from '@codemirror/view';
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next';
import { UndoManager } from 'yjs';
import type { DocumentSession } from './document-session.ts';

/** What a server takes is more; a page that pastes a book is told at once. */
const MOST_CHARACTERS = 1_000_000;

const colors = ['#b91c1c', '#1d4ed8', '#6d28d9', '#047857', '#a16207'];
const color = colors[Math.floor(Math.random() * colors.length)] ?? '#1d4ed8';
const own = { name: `Guest ${1 + Math.floor(Math.random() * 99)}`, color, colorLight: `${color}33` };

/**
 * Puts an editor of the session's document into a place that is empty.
 *
 * @param onTooLong - told when an insertion is refused
 * @returns what takes it away again
 */
export function editDocument(session: DocumentSession, place: HTMLElement, onTooLong: () => void): () => void {
  const { text, awareness } = session;
  if (awareness === undefined) throw new Error('a session is edited once it knows its server');
  awareness.setLocalStateField('user', own);
  const undoManager = new UndoManager(text);
  const refuseTooLong = EditorState.changeFilter.of((transaction) => {
    const { newLength, length } = transaction.changes;
    if (newLength <= MOST_CHARACTERS || newLength <= length) return true;
    onTooLong();
    return false;
  });
  const view = new EditorView({
    parent: place,
    state: EditorState.create({
      doc: text.toString(),
      extensions: [
        keymap.of([...yUndoManagerKeymap, ...defaultKeymap]),
        drawSelection(),
        highlightSpecialChars(),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'The document', spellcheck: 'false' }),
        placeholder('Type here.'),
        yCollab(text, awareness, { undoManager }),
        refuseTooLong,
      ],
    }),
  });
  // so that the keyboard scrolls it as well
  view.scrollDOM.tabIndex = 0;
  return () => {
    view.destroy();
    undoManager.destroy();
    awareness.setLocalStateField('cursor', null);
  };
}
