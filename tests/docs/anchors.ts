/** The headings of a page, in the form in which links name them. */
export function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^##+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}
