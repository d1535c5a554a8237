/** The page's files: bundled when the program starts, kept in memory, compressed once. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const folder = join(import.meta.dirname, '../page');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

interface PageFile {
  type: string;
  etag: string;
  plain: Buffer;
  gzip: Buffer;
  brotli: Buffer;
}

export class PageFiles {
  readonly #files: ReadonlyMap<string, PageFile>;

  private constructor(files: ReadonlyMap<string, PageFile>) {
    this.#files = files;
  }

  static async bundle(): Promise<PageFiles> {
    const { outputFiles } = await build({
      entryPoints: [join(folder, 'main.ts')],
      bundle: true,
      write: false,
      outdir: folder,
      format: 'esm',
      target: 'es2022',
      minify: true,
      loader: { '.woff2': 'file' },
      assetNames: '[name]',
      logLevel: 'warning',
    });
    const files = new Map<string, PageFile>();
    const add = (path: string, bytes: Uint8Array, extension = extname(path)) =>
      files.set(path, packed(extension, Buffer.from(bytes)));
    for (const { path, contents } of outputFiles) add(`/${path.slice(folder.length + 1)}`, contents);
    add('/', readFileSync(join(folder, 'index.html')), '.html');
    add('/icon.svg', readFileSync(join(folder, 'icon.svg')));
    return new PageFiles(files);
  }

  /** @returns whether there is such a file */
  serve(request: IncomingMessage, response: ServerResponse, connectTo: string): boolean {
    const path = (request.url ?? '/').replace(/\?.*$/s, '');
    const file = this.#files.get(path);
    if (file === undefined) return false;
    const accepted = request.headers['accept-encoding'] ?? '';
    const encoding = /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : undefined;
    const body = encoding === 'br' ? file.brotli : encoding === 'gzip' ? file.gzip : file.plain;
    response.setHeader('content-type', file.type);
    response.setHeader('etag', file.etag);
    response.setHeader('cache-control', 'no-cache');
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader(
      'content-security-policy',
      // the editor and the plots set styles of their own
      `default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self'; ` +
        `connect-src 'self' ${connectTo}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    if (request.headers['if-none-match'] === file.etag) {
      response.writeHead(304).end();
      return true;
    }
    if (encoding !== undefined) response.setHeader('content-encoding', encoding);
    response.setHeader('vary', 'accept-encoding');
    response.writeHead(200, { 'content-length': body.byteLength });
    response.end(request.method === 'HEAD' ? undefined : body);
    return true;
  }
}

function packed(extension: string, plain: Buffer): PageFile {
  return {
    type: types[extension] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 20)}"`,
    plain,
    gzip: gzipSync(plain),
    brotli: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }),
  };
}
