/** Presses a key in a document: some in one paragraph, then some in another; in its text, if it has no paragraphs. */

/** Keys before the next place. */
const RUN = 40;

/** @param index - how many keys were pressed before */
export function typeInto(document, index) {
  const paragraphs = document.getXmlFragment('default');
  const at = (Math.floor(index / RUN) * 7919) % Math.max(paragraphs.length, 1);
  const text = paragraphs.length > 0 ? paragraphs.get(at).get(0) : document.getText('text');
  text.insert(text.length, 'x');
}
