/** A PostgreSQL server that takes TLS. */
import { chmodSync, chownSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificates, makeCertificates } from './certificates.ts';
import { freshFolder } from './files.ts';
import { ownServer } from './postgresql.ts';
import { identity } from './postgresql-binaries.ts';
import type { PostgresqlServer } from './postgresql-server.ts';

/** A server with a certificate for `localhost`, signed by an authority that nobody knows. */
export async function encrypting(): Promise<{ own: PostgresqlServer; made: Certificates } | undefined> {
  const made = makeCertificates(freshFolder(), 'localhost');
  if (made === undefined) return undefined;
  const own = await ownServer();
  const who = identity();
  for (const [from, name] of [
    [made.certificate, 'server.crt'],
    [made.key, 'server.key'],
  ] as const) {
    const path = join(own.data, name);
    copyFileSync(from, path);
    chmodSync(path, 0o600);
    if (who !== undefined) chownSync(path, who.uid, who.gid);
  }
  own.settings = { ...own.settings, ssl: 'on' };
  await own.restart();
  return { own, made };
}
