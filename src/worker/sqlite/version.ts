/** What is known of the versions of SQLite. */

/** As SQLite numbers them: 3.47.1 is 3_047_001. */
export function numberOf(sqliteVersion: string): number {
  const [major = 0, minor = 0, patch = 0] = sqliteVersion.split('.').map(Number);
  return (major * 1000 + minor) * 1000 + patch;
}

/** Before these versions of SQLite, several processes on one file can damage its write-ahead log. */
export function hasWalResetFault(version: number): boolean {
  if (version >= 3_051_000) return version < 3_051_003;
  if (version >= 3_050_000) return version < 3_050_007;
  return version < 3_044_006 || version >= 3_045_000;
}
