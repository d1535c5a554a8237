/** A certificate authority and a server's certificate signed by it, made by `openssl`. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const howToHaveOpenssl = 'openssl is not installed: apt-get install openssl';

export interface Certificates {
  /** Of the authority: what a client trusts. */
  authority: string;
  certificate: string;
  key: string;
}

/** @param name - the host that the certificate is for */
export function makeCertificates(folder: string, name: string): Certificates | undefined {
  const file = (end: string) => join(folder, end);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  try {
    openssl('version');
  } catch {
    return undefined; // not installed
  }
  // made in a moment, for which RSA looks for primes
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '10',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=a test authority',
  );
  openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', `/CN=${name}`);
  writeFileSync(file('extensions'), `subjectAltName = DNS:${name}\n`);
  openssl(
    ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '10'],
    ...['-extfile', 'extensions', '-out', 'server.crt'],
  );
  return { authority: file('ca.crt'), certificate: file('server.crt'), key: file('server.key') };
}
