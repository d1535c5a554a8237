/** The rows of `sds_stores`: whoever claims a store, or replaces what is in it, locks its row first, and fences whoever has lost it. */
import { int8Array, textArray } from './arrays.ts';
import type { Connection, Result, Statement } from './connection.ts';

export interface ClaimRow {
  store: string;
  session: string;
  generation: number;
}

export interface StoreRow {
  shared: boolean;
  claims: ClaimRow[];
}

/** @param waitedFor - those whose locks are waited for; of the others only those are locked that nobody has locked */
export function lockStatements(stored: readonly string[], waitedFor: readonly string[]): Statement[] {
  const values = [textArray(stored)];
  return [
    {
      text: 'INSERT INTO sds_stores (store_id, shared) SELECT n, false FROM unnest($1::text[]) AS u (n) ORDER BY n ON CONFLICT (store_id) DO NOTHING',
      values,
    },
    {
      text: 'SELECT 1 FROM sds_stores WHERE store_id = ANY($1::text[]) ORDER BY store_id FOR UPDATE',
      values: [textArray(waitedFor)],
    },
    {
      text: 'SELECT store_id, shared::int FROM sds_stores WHERE store_id = ANY($1::text[]) FOR UPDATE SKIP LOCKED',
      values,
    },
    { text: 'SELECT store_id, session, generation FROM sds_claims WHERE store_id = ANY($1::text[])', values },
  ];
}

/** The rows that are locked now, out of the results of a group that ends with `lockStatements`. */
export function lockedRows(results: readonly Result[]): Map<string, StoreRow> {
  const [locked, claims] = results.slice(-2);
  const rows = new Map<string, StoreRow>();
  for (const [store, shared] of locked?.rows ?? []) rows.set(String(store), { shared: shared === '1', claims: [] });
  for (const [store, session, generation] of claims?.rows ?? []) {
    const claim = { store: String(store), session: String(session), generation: Number(generation) };
    rows.get(claim.store)?.claims.push(claim);
  }
  return rows;
}

/** Fences those whose lease has run out, which waits for a transaction of theirs; returns the claims whose holder lives. */
export async function fenceHolders(connection: Connection, claims: readonly ClaimRow[]): Promise<Set<ClaimRow>> {
  if (claims.length === 0) return new Set();
  const values = [textArray(claims.map(({ session }) => session)), int8Array(claims.map((claim) => claim.generation))];
  const theirs = '(session, generation) IN (SELECT * FROM unnest($1::text[], $2::bigint[])) AND NOT fenced';
  const [, living] = await connection.run(
    { text: `UPDATE sds_holders SET fenced = true WHERE ${theirs} AND expires < clock_timestamp()`, values },
    { text: `SELECT session, generation FROM sds_holders WHERE ${theirs}`, values },
  );
  const alive = new Set(living?.rows.map(([session, generation]) => `${session} ${generation}`));
  return new Set(claims.filter(({ session, generation }) => alive.has(`${session} ${generation}`)));
}

export function unclaiming(claims: readonly ClaimRow[]): Statement {
  return {
    text: 'DELETE FROM sds_claims WHERE (store_id, session) IN (SELECT * FROM unnest($1::text[], $2::text[]))',
    values: [textArray(claims.map(({ store }) => store)), textArray(claims.map(({ session }) => session))],
  };
}
