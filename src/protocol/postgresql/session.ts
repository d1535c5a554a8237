/** How a PostgreSQL server knows a process: by a session for each of its queues, whose names begin alike. */
import { randomUUID } from '../surroundings.ts';

/** @param owner - the process */
export function newSession(owner: string): string {
  return `${owner}/${randomUUID()}`;
}

export function ownerOf(session: string): string {
  return session.split('/', 1)[0] ?? session;
}
