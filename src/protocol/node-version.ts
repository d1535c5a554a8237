/** Whether this Node has what the package is made for, asked before anything that an older one does not know is used. */

/** What to say if not. By what it has, not by its number: a Node may be built without SQLite. */
export function whatIsMissing(): string | undefined {
  const { node, sqlite, deno, bun } = process.versions;
  // Deno and Bun have SQLite without naming it
  if (sqlite !== undefined || deno !== undefined || bun !== undefined) return undefined;
  const lacks = isNodeBefore(22, 5) ? '' : ', built without it';
  return `sds-persistence-worker needs Node 22.5 or later, which has SQLite, and this is Node ${node}${lacks}: install a newer one`;
}

export function isNodeBefore(major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = process.versions.node.split('.').map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}
