/** Process warnings: said once each, with a code that a program can filter by. */
import { tell } from './observe/channels.ts';
import type { Member } from './queue/member.ts';

/** Files and stores that were spoken of already. */
const said = new Set<string>();

function once(code: string, subject: string, message: string): void {
  const key = `${code} ${subject}`;
  if (said.has(key)) return;
  said.add(key);
  process.emitWarning(message, { type: 'SDS_PersistenceWarning', code });
}

/** Counts a patch that is lost since its number is taken by other bytes. */
export function warnOfCollision(member: Member): void {
  member.collisions++;
  tell('collision', { Path: member.dbPath, StoreId: member.storeId, Collisions: member.collisions });
  once(
    'SDS_CLOCK_COLLISION',
    `${member.storeId} ${member.dbPath}`,
    `a patch of store ${JSON.stringify(member.storeId)} in '${member.dbPath}' was lost: its number is taken by a ` +
      "patch with other bytes, and the first one wins. The option OnClockCollision: 'keep' stores both.",
  );
}

/** Another process writes to a file, and the SQLite at hand has a fault in that case. */
export function warnOfForeignWriter(dbPath: string, sqliteVersion: string): void {
  once(
    'SDS_SQLITE_WAL_RESET',
    '',
    `another process writes to '${dbPath}', and SQLite ${sqliteVersion}, which is part of Node ${process.version}, ` +
      'can damage the write-ahead log in that case (fixed in 3.51.3, 3.50.7 and 3.44.6): update Node, or let only ' +
      'one process at a time have the file open.',
  );
}
