/** What is known of the versions of SQLite. */

/** Before these versions of SQLite, several processes on one file can damage its write-ahead log. */
export function hasWalResetFault(sqliteVersion: string): boolean {
  const [major = 0, minor = 0, patch = 0] = sqliteVersion.split('.').map(Number);
  if (major !== 3 || minor > 51) return false;
  if (minor === 51) return patch < 3;
  if (minor === 50) return patch < 7;
  if (minor === 44) return patch < 6;
  return true;
}
