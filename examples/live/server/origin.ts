/**
 * Which pages may connect. A browser lets any page open a WebSocket to any address and tells its own
 * in `Origin`; so without a look at it, every page that a visitor has open could edit the documents.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

export const loopbackNames: readonly string[] = ['127.0.0.1', '::1', 'localhost'];

/**
 * Why a request is refused, or undefined.
 *
 * @param ports - those on which pages of this program are served
 * @param boundHost - the address that the server listens on
 */
export function refusalOf(request: IncomingMessage, ports: readonly number[], boundHost: string): string | undefined {
  const host = nameIn(`http://${request.headers.host ?? ''}`);
  if (host === undefined) return 'the request has no Host';
  // a name of a stranger's that leads to this machine (DNS rebinding) is none of these
  const names = loopbackNames.includes(boundHost) ? loopbackNames : [...loopbackNames, hostname().toLowerCase()];
  if (!names.includes(host) && (loopbackNames.includes(boundHost) || isIP(host) === 0)) {
    return `this server does not go by the name '${host}'`;
  }
  const { origin } = request.headers;
  if (origin === undefined) return undefined; // no browser, so no page
  const port = URL.canParse(origin) ? Number(new URL(origin).port || 80) : undefined;
  if (port === undefined || nameIn(origin) !== host || !ports.includes(port)) {
    return `pages of '${origin}' may not connect`;
  }
  return undefined;
}

function nameIn(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase() || undefined;
}
