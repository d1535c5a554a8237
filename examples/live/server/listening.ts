/** Listening on a port, and what to say where that is not possible. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** @returns the port */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(new ListenError(sentenceFor(error, port, host))));
    // a server on a host and port always has an address of this form
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

export class ListenError extends Error {}

function sentenceFor({ code, message }: NodeJS.ErrnoException, port: number, host: string): string {
  if (code === 'EADDRINUSE') return `Port ${port} is taken on ${host}; name another with --port N.`;
  if (code === 'EACCES') return `Port ${port} may not be used by this user; name one above 1023 with --port N.`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `This machine has no address '${host}'; see --host.`;
  return `Listening on ${host}, port ${port}, failed: ${message}`;
}

/** The form of an address in a URL. */
export function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
