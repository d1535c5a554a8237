/** Serves the page, tells it of both servers, and carries out what its buttons ask. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type Side, type State, WORKER } from './protocol.ts';
import { SupervisedServer } from './supervised-server.ts';

/** A server that is run twice, with this package and with another persistence. */
export interface Example {
  /** Folder of its `server.ts`, and of the script of its page, `page/main.ts`. */
  folder: string;
  /** The other persistence, which is also the name of its database. */
  other: Side;
}

export interface FrontOptions {
  port: number;
  /** Where this package keeps its documents: a path, or a `postgres://` URL. */
  database: string;
  /** Where the other one does. */
  otherDatabase: string;
}

export class Front {
  readonly servers: readonly SupervisedServer[];
  readonly #http: Server;
  readonly #pages = new Set<ServerResponse>();
  readonly #files: ReadonlyMap<string, { type: string; text: string }>;

  private constructor(example: Example, options: FrontOptions, script: string) {
    const html = readFileSync(join(import.meta.dirname, 'page/index.html'), 'utf8');
    this.#files = new Map([
      ['/', { type: 'text/html; charset=utf-8', text: html }],
      ['/main.js', { type: 'text/javascript; charset=utf-8', text: script }],
    ]);
    const program = join(example.folder, 'server.ts');
    this.servers = [
      new SupervisedServer(program, WORKER, options.database),
      new SupervisedServer(program, example.other, options.otherDatabase),
    ];
    for (const server of this.servers) server.on('state', (state) => this.#tell(state));
    this.#http = createServer((request, response) => this.#answer(request, response));
  }

  /** @throws Error if the port is taken, or a server can't be started */
  static async start(example: Example, options: FrontOptions): Promise<Front> {
    const entry = join(example.folder, 'page/main.ts');
    const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: 'esm' });
    const front = new Front(example, options, outputFiles[0]?.text ?? '');
    front.#http.listen(options.port, '127.0.0.1');
    await once(front.#http, 'listening');
    try {
      await Promise.all(front.servers.map((server) => server.start()));
    } catch (error) {
      await front.stop();
      throw error;
    }
    return front;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', this.address);
    const file = this.#files.get(pathname);
    // other pages of the same browser can't ask for anything here
    if (
      `http://${request.headers.host}` !== this.address ||
      (request.headers.origin ?? this.address) !== this.address
    ) {
      response.writeHead(403).end();
    } else if (file !== undefined) {
      response.writeHead(200, { 'content-type': file.type }).end(file.text);
    } else if (pathname === '/states') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      this.#pages.add(response);
      response.once('close', () => this.#pages.delete(response));
      for (const { state } of this.servers) this.#tell(state);
    } else if (request.method === 'POST') {
      response.writeHead(this.#carryOut(pathname) ? 204 : 404).end();
    } else {
      response.writeHead(404).end();
    }
  }

  /** @returns whether it is an order: `/kill/SIDE` or `/start/SIDE` */
  #carryOut(path: string): boolean {
    const [, order, side] = path.split('/');
    const server = this.servers.find((one) => one.side === side);
    if (server === undefined || (order !== 'kill' && order !== 'start')) return false;
    if (order === 'kill') void server.kill();
    else server.start().catch((error: Error) => console.error(error.message));
    return true;
  }

  #tell(state: State): void {
    for (const response of this.#pages) response.write(`data: ${JSON.stringify(state)}\n\n`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    this.#http.close();
    this.#http.closeAllConnections();
  }
}
