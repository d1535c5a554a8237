/** Names too long for a key, beside what they stand for. */
import type { Statement } from './connection.ts';

export function namesOf(longNames: Iterable<readonly [stored: string, whole: string]>): Statement[] {
  return [...longNames].map(([stored, whole]) => ({
    text: 'INSERT INTO sds_long_names (short, name) VALUES ($1, $2) ON CONFLICT (short) DO NOTHING',
    values: [stored, whole],
  }));
}
