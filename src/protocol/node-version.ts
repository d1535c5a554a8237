/** Whether this Node has what the package is made for, asked before anything that an older one does not know is used. */

/** What to say if not. By what it has, not by its number: a Node may be built without SQLite. */
export function whatIsMissing(): string | undefined {
  const { node, sqlite, deno, bun } = process.versions;
  // Deno and Bun have SQLite without naming it
  if (sqlite !== undefined || deno !== undefined || bun !== undefined) return undefined;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const isOld = major < 22 || (major === 22 && minor < 5);
  return `sds-persistence-worker needs Node 22.5 or later, which has SQLite, and this is Node ${node}${isOld ? '' : ', built without it'}: install a newer one`;
}
