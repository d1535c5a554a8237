/** The front: serves the page, starts both servers and the simulated editors, and carries out what the page asks. */
import { type ChildProcess, fork } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type CrowdReport,
  DEFAULT_ROOM,
  initialSettings,
  type PageOrder,
  type PageReport,
  type Settings,
  type Side,
  sides,
} from '../protocol/control.ts';
import { inUrl, listen } from '../server/listening.ts';
import { loopbackNames, refusalOf } from '../server/origin.ts';
import { PageFiles } from './page-files.ts';
import { readOrder } from './page-orders.ts';
import { SupervisedServer } from './supervised-server.ts';

/** Of the snapshot that the button saves. */
const SNAPSHOT_MEGABYTES = 64;
const STATE_MS = 500;

export interface FrontOptions {
  port: number;
  host: string;
  folder: string;
}

export class Front {
  readonly #options: FrontOptions;
  readonly #http: Server;
  readonly #pages = new Set<WebSocket>();
  readonly #servers: Record<Side, SupervisedServer>;
  readonly #crowd: ChildProcess;
  readonly #settings: Settings = { ...initialSettings };
  #connected: Record<Side, number> = { worker: 0, synchronous: 0 };
  readonly #telling: NodeJS.Timeout;
  readonly port: number;
  /** Rejects if a server can't be started. */
  readonly failed: Promise<never>;

  /** Use `start`. */
  protected constructor(options: FrontOptions, http: Server, port: number) {
    this.#options = options;
    this.#http = http;
    this.port = port;
    const open = (side: Side, offset: number) =>
      new SupervisedServer({
        side,
        folder: join(options.folder, side),
        host: options.host,
        port: options.port === 0 ? 0 : port + offset,
        pagePort: port,
      });
    this.#servers = { worker: open('worker', 1), synchronous: open('synchronous', 2) };
    this.failed = new Promise((_resolve, reject) => {
      for (const side of sides) this.#servers[side].once('failed', (text) => reject(new StartError(text)));
    });
    this.failed.catch(() => undefined); // whoever is interested listens to it
    for (const side of sides) this.#listenTo(side);
    this.#crowd = fork(join(import.meta.dirname, '../editors/main.ts'), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#crowd.on('message', (report: CrowdReport) => this.#hearCrowd(report));
    this.#telling = setInterval(() => this.#tellState(), STATE_MS);
    this.#orderMegabytes();
  }

  /** @throws ListenError */
  static async start(options: FrontOptions): Promise<Front> {
    const files = await PageFiles.bundle();
    let front: Front | undefined;
    const http = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
      const refusal = refusalOf(request, [front?.port ?? 0], options.host);
      if (refusal !== undefined) {
        response.writeHead(403, { 'content-type': 'text/plain' }).end(`${refusal}\n`);
      } else if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.writeHead(405, { 'content-type': 'text/plain' }).end('this page can only be looked at\n');
      } else if (!files.serve(request, response, front?.webSocketSources(request.headers.host) ?? '')) {
        response.writeHead(404, { 'content-type': 'text/plain' }).end('there is no such page\n');
      }
    });
    const port = await listen(http, options.port, options.host);
    front = new Front(options, http, port);
    front.#acceptPages();
    return front;
  }

  get address(): string {
    return `http://${inUrl(this.#localHost)}:${this.port}`;
  }

  /** One that leads here from this machine. */
  get #localHost(): string {
    const { host } = this.#options;
    return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  }

  get loopback(): boolean {
    return loopbackNames.includes(this.#options.host);
  }

  server(side: Side): SupervisedServer {
    return this.#servers[side];
  }

  /** Once both servers listen. */
  async ready(): Promise<void> {
    const up = sides.map((side) => {
      const server = this.#servers[side];
      return server.port !== undefined ? undefined : new Promise<void>((resolve) => server.once('up', () => resolve()));
    });
    await Promise.race([Promise.all(up), this.failed]);
  }

  webSocketSources(host = ''): string {
    const name = host.replace(/:\d+$/, '');
    const ports = [this.port, ...sides.map((side) => this.#servers[side].port ?? 0)];
    return ports.map((port) => `ws://${name}:${port}`).join(' ');
  }

  #acceptPages(): void {
    const sockets = new WebSocketServer({ noServer: true, maxPayload: 4096, perMessageDeflate: false });
    this.#http.on('upgrade', (request, stream, head) => {
      const refusal = refusalOf(request, [this.port], this.#options.host);
      if (refusal !== undefined || request.url !== '/control') {
        stream.on('error', (error) => console.error(`A refused client: ${error.message}`));
        stream.end(`HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n${refusal ?? 'there is only /control'}\n`);
        return;
      }
      sockets.handleUpgrade(request, stream, head, (page) => {
        this.#pages.add(page);
        page.on('close', () => this.#pages.delete(page));
        page.on('error', (error) => console.error(`A page was disconnected: ${error.message}`));
        page.on('message', (data: Buffer) => {
          const order = readOrder(data.toString());
          if (order === undefined) page.close(1007, 'this is no order');
          else this.carryOut(order);
        });
        page.send(JSON.stringify(this.#state()));
      });
    });
  }

  #listenTo(side: Side): void {
    const server = this.#servers[side];
    server.on('sample', (sample, commits) => this.#tell({ kind: 'sample', side, sample, commits }));
    server.on('happened', (text) => this.#happened(side, text));
    server.on('down', (how) => {
      this.#happened(side, `The server has ended (${how}).`);
      this.#orderCrowd();
      this.#tellState();
    });
    server.on('up', (afterMs) => {
      if (afterMs !== undefined) this.#happened(side, `The server is back after ${Math.round(afterMs)} ms.`);
      this.#orderCrowd();
      this.#tellState();
    });
  }

  carryOut(order: PageOrder): void {
    if (order.kind === 'settings') {
      const { kind: _kind, ...changed } = order;
      Object.assign(this.#settings, changed);
      this.#orderCrowd();
      this.#orderMegabytes();
      this.#tellState();
    } else if (order.kind === 'save-snapshot') {
      for (const side of sides) {
        this.#servers[side].order({ kind: 'save-snapshot', room: order.room, megabytes: SNAPSHOT_MEGABYTES });
      }
    } else if (order.kind === 'kill-worker') {
      this.#servers.worker.order({ kind: 'kill-worker' });
    } else {
      this.#servers[order.side].kill();
    }
  }

  #orderMegabytes(): void {
    for (const side of sides) {
      this.#servers[side].order({ kind: 'megabytes', megabytes: this.#settings.megabytes });
    }
  }

  #orderCrowd(): void {
    const { editors, pace } = this.#settings;
    const addresses = Object.fromEntries(
      sides.flatMap((side) => {
        const { port } = this.#servers[side];
        return port === undefined ? [] : [[side, `ws://${inUrl(this.#localHost)}:${port}`]];
      }),
    );
    // it may be ending: without a callback, a message that can't be sent would end this process
    const order = { kind: 'crowd', editors, pace, room: DEFAULT_ROOM, addresses };
    if (this.#crowd.connected) this.#crowd.send(order, () => undefined);
  }

  #hearCrowd(report: CrowdReport): void {
    if (report.kind === 'crowd') {
      this.#connected = report.connected;
      return;
    }
    const { side, editors, acknowledged, missing } = report;
    const text =
      missing === 0
        ? `All ${acknowledged.toLocaleString('en')} characters that it had acknowledged to ${editors} simulated editors were in its file.`
        : `${missing.toLocaleString('en')} of ${acknowledged.toLocaleString('en')} acknowledged characters are MISSING.`;
    this.#happened(side, text);
  }

  #happened(side: Side | undefined, text: string): void {
    this.#tell({ kind: 'happened', at: Date.now(), side, text });
  }

  #state(): PageReport {
    const stateOf = (side: Side) => ({
      port: this.#servers[side].port,
      pid: this.#servers[side].pid,
      connected: this.#connected[side],
    });
    return {
      kind: 'state',
      settings: this.#settings,
      sides: { worker: stateOf('worker'), synchronous: stateOf('synchronous') },
      node: process.versions.node,
      cores: availableParallelism(),
    };
  }

  #tellState(): void {
    this.#tell(this.#state());
  }

  #tell(report: PageReport): void {
    const text = JSON.stringify(report);
    for (const page of this.#pages) {
      // a page in a tab that sleeps
      if (page.bufferedAmount > 1024 * 1024) page.terminate();
      else if (page.readyState === page.OPEN) page.send(text);
    }
  }

  /**
   * Ends every process that was started; documents are saved first.
   *
   * @returns whether both servers ended by themselves
   */
  async stop(): Promise<boolean> {
    clearInterval(this.#telling);
    const crowdEnded = new Promise<void>((resolve) => {
      if (this.#crowd.exitCode !== null || this.#crowd.signalCode !== null) resolve();
      else this.#crowd.once('exit', () => resolve());
    });
    this.#crowd.kill('SIGTERM');
    for (const page of this.#pages) page.close(1001, 'the program ends');
    this.#http.close();
    await crowdEnded;
    const ended = await Promise.all(sides.map((side) => this.#servers[side].stop()));
    for (const page of this.#pages) page.terminate();
    this.#http.closeAllConnections();
    return ended.every((byItself) => byItself);
  }
}

/** A server could not be started; the message is a sentence of its own. */
export class StartError extends Error {}
