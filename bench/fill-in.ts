/** Writes what a program has made between the markers of a document; nobody types there. */

export function fillIn(text: string, name: string, content: string): string {
  const pattern = new RegExp(`(<!-- ${name}: generated -->\\n)[\\s\\S]*?(<!-- end -->)`);
  if (!pattern.test(text)) throw new Error(`the document has no place for '${name}'`);
  return text.replace(pattern, (_, start: string, end: string) => `${start}\n${content}\n\n${end}`);
}
