/** The page's elements by selector; one that is missing is a mistake in the page, and said. */
export function elementOf<T extends Element>(
  selector: string,
  kind: abstract new () => T,
  within: ParentNode = document,
): T {
  const element = within.querySelector(selector);
  if (element instanceof kind) return element;
  throw new Error(`the page has no ${kind.name} '${selector}'`);
}
