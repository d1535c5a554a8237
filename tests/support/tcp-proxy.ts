/** A line between a program and its server that can be cut at any byte, held up, closed, or made to lose an answer. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** `up` is what the program sends, `down` what the server answers. */
export type Direction = 'up' | 'down';

/** What a program has sent over a connection and has not arrived. */
export interface Late {
  /** Cuts the program off; whatever it has sent until then is kept. */
  cut(): void;
  /** Lets it arrive, after all; resolves once the server has carried it out, as far as it does, and its side is closed. */
  deliver(): Promise<void>;
}

interface Line {
  client: Socket;
  server: Socket;
  /** What the program has sent is kept, and no answer comes through any more. */
  kept: Buffer[] | undefined;
  /** Answers are dropped: the program is cut off once this one has come. */
  deafUntil: string | undefined;
  /** When the last answer goes on. */
  answersAt: number;
  /** The end of what was sent, since a text may come in two pieces. */
  tail: Buffer;
}

/** Longer than any text that is looked for. */
const TAIL_BYTES = 200;

export class TcpProxy {
  /** How many bytes went through, of all connections. */
  readonly bytes: Record<Direction, number> = { up: 0, down: 0 };
  /** For how long answers are on their way. */
  answerMs = 0;
  /** How many connections were made, how many refused, and how many cut. */
  made = 0;
  refused = 0;
  cut = 0;
  readonly #listener: Server;
  readonly #lines = new Set<Line>();
  /** Those that are on their way out besides. */
  readonly #accepted = new Set<Socket>();
  /** Whose program was cut off, while the server does not know it. */
  readonly #halves = new Set<Socket>();
  #target: { host: string; port: number };
  #refusing = false;
  #paused = false;
  #cutAt: { direction: Direction; byte: number; done: () => void } | undefined;
  /** From where on of a chunk, if so, a line is to be kept. */
  #keeping: { from: (chunk: Buffer) => number | undefined; done: (late: Late | undefined) => void } | undefined;
  /** What is not to arrive, and what arrives instead, of the same length. */
  #instead: [text: string, other: string] | undefined;
  #watched: { text: string; done: () => void } | undefined;
  #losing: { answers: Record<string, string>; cuts: boolean; done: () => void } | undefined;

  private constructor(listener: Server, target: { host: string; port: number }) {
    this.#listener = listener;
    this.#target = target;
    listener.on('connection', (client) => this.#accept(client));
  }

  static async listen(port: number, host = '127.0.0.1'): Promise<TcpProxy> {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new TcpProxy(listener, { host, port });
  }

  get port(): number {
    return (this.#listener.address() as { port: number }).port; // it listens on TCP
  }

  get connections(): number {
    return this.#lines.size;
  }

  /** Later connections lead elsewhere, as an address does that moves with its service. */
  leadTo(port: number, host = '127.0.0.1'): void {
    this.#target = { host, port };
  }

  /** Cuts the connection that carries the n-th byte from now on, after exactly that byte; resolves then. */
  cutAfter(direction: Direction, bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#cutAt = { direction, byte: this.bytes[direction] + bytes, done: resolve };
    return promise;
  }

  /** Resolves once a request with this text goes through. */
  passes(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watched = { text, done: resolve };
    return promise;
  }

  /** Whatever has this text in it arrives with another one of the same length, as at a server that knows no such words. */
  replace(text: string, other: string): void {
    this.#instead = [text, other];
  }

  /** Takes back `cutAfter`, `keepAfter` and `loseAnswerTo`. */
  spare(): void {
    this.#cutAt = undefined;
    this.#keeping?.done(undefined);
    this.#keeping = undefined;
    this.#losing = undefined;
  }

  /**
   * Lets the next request with one of these texts through, and cuts the connection when the server has answered it with
   * the text beside; resolves then. If several are sent together, the one that is named first counts.
   *
   * @param cuts - if false, the connection stays, and nothing of the answer comes through
   */
  loseAnswerTo(answers: Record<string, string>, cuts = true): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#losing = { answers, cuts, done: resolve };
    for (const line of this.#lines) line.tail = Buffer.alloc(0);
    return promise;
  }

  /** Keeps the next request with this text, and cuts its sender off. */
  async holdBack(text: string): Promise<() => Promise<void>> {
    const late = await this.#keep((chunk) => (chunk.includes(text) ? 0 : undefined));
    if (late === undefined) throw new Error(`nothing with '${text}' was sent`);
    late.cut();
    return late.deliver;
  }

  /** Keeps what comes from this text on, of the next request that has it. */
  async keepFrom(text: string): Promise<Late> {
    const late = await this.#keep((chunk) => (chunk.includes(text) ? chunk.indexOf(text) : undefined));
    if (late === undefined) throw new Error(`nothing with '${text}' was sent`);
    return late;
  }

  /**
   * Keeps what comes after the n-th byte from now on, over the connection that carries it; resolves then, or with nothing if that
   * is taken back.
   *
   * @param whole - nothing of the request that has this byte in it arrives
   */
  keepAfter(bytes: number, whole = false): Promise<Late | undefined> {
    const first = this.bytes.up + bytes;
    return this.#keep((chunk) => {
      if (this.bytes.up + chunk.length <= first) return undefined;
      return whole ? 0 : Math.max(first - this.bytes.up, 0);
    });
  }

  #keep(from: (chunk: Buffer) => number | undefined): Promise<Late | undefined> {
    const { promise, resolve } = Promise.withResolvers<Late | undefined>();
    this.#keeping = { from, done: resolve };
    return promise;
  }

  /** Ends all connections now. */
  cutNow(): void {
    for (const line of this.#lines) this.#end(line);
  }

  /** Programs get these bytes as if they were the server's, also in the place of an answer that was lost. */
  say(bytes: Uint8Array): void {
    for (const line of this.#lines) {
      line.deafUntil = undefined;
      line.client.write(bytes);
    }
  }

  /** Nothing goes through, in silence, until `resume`. */
  pause(): void {
    this.#paused = true;
    for (const { client, server } of this.#lines) for (const socket of [client, server]) socket.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const { client, server } of this.#lines) for (const socket of [client, server]) socket.resume();
  }

  /** New connections are ended at once, until `accept`. */
  refuse(): void {
    this.#refusing = true;
  }

  accept(): void {
    this.#refusing = false;
  }

  async close(): Promise<void> {
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    this.cutNow();
    for (const socket of [...this.#accepted, ...this.#halves]) socket.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    this.#accepted.add(client);
    client.once('close', () => this.#accepted.delete(client));
    client.on('error', () => undefined); // its end is told by 'close'
    if (this.#refusing) {
      this.refused++;
      return void client.resetAndDestroy();
    }
    this.made++;
    const server = connect({ ...this.#target, noDelay: true });
    client.setNoDelay(true);
    const line: Line = { client, server, kept: undefined, deafUntil: undefined, answersAt: 0, tail: Buffer.alloc(0) };
    this.#lines.add(line);
    server.on('error', () => undefined);
    client.on('data', (chunk) => this.#forward(line, 'up', this.#replaced(chunk)));
    server.on('data', (chunk) => this.#answer(line, chunk));
    client.on('close', () => {
      if (this.#lines.has(line)) this.#close(line);
    });
    server.on('close', () => {
      if (this.#lines.has(line)) this.#close(line);
    });
    if (this.#paused) for (const socket of [client, server]) socket.pause();
  }

  #replaced(chunk: Buffer): Buffer {
    if (this.#instead === undefined || !chunk.includes(this.#instead[0])) return chunk;
    return Buffer.from(chunk.toString('latin1').replaceAll(...this.#instead), 'latin1');
  }

  /** In their order, also if their way has become shorter meanwhile. */
  #answer(line: Line, chunk: Buffer): void {
    const now = performance.now();
    line.answersAt = Math.max(line.answersAt, now + this.answerMs);
    if (line.answersAt <= now) return void this.#forward(line, 'down', chunk);
    setTimeout(() => this.#forward(line, 'down', chunk), line.answersAt - now);
  }

  #forward(line: Line, direction: Direction, chunk: Buffer): void {
    const target = direction === 'up' ? line.server : line.client;
    if (line.kept !== undefined) {
      if (direction === 'up') line.kept.push(chunk);
      return;
    }
    const losing = this.#losing;
    if (line.deafUntil !== undefined && direction === 'down') {
      if (!chunk.includes(line.deafUntil) && !chunk.includes('ERROR')) return;
      this.#losing = undefined;
      if (losing?.cuts !== false) this.#end(line);
      losing?.done();
      return;
    }
    if (direction === 'up' && this.#watched !== undefined && chunk.includes(this.#watched.text)) {
      this.#watched.done();
      this.#watched = undefined;
    }
    const from = direction === 'up' ? this.#keeping?.from(chunk) : undefined;
    if (from !== undefined) {
      const done = this.#keeping?.done;
      this.#keeping = undefined;
      if (from > 0) line.server.write(chunk.subarray(0, from));
      this.bytes.up += chunk.length;
      done?.(this.#late(line, [chunk.subarray(from)]));
      return;
    }
    const cutAt = this.#cutAt;
    if (cutAt?.direction === direction && this.bytes[direction] + chunk.length >= cutAt.byte) {
      this.#cutAt = undefined;
      const last = chunk.subarray(0, cutAt.byte - this.bytes[direction]);
      this.bytes[direction] += last.length;
      this.#cut(line, direction, last).then(cutAt.done);
      return;
    }
    this.bytes[direction] += chunk.length;
    if (direction === 'up' && losing !== undefined) {
      const sent = Buffer.concat([line.tail, chunk]);
      const asked = Object.entries(losing.answers).find(([request]) => sent.includes(request));
      line.deafUntil = asked?.[1] ?? line.deafUntil;
      line.tail = Buffer.from(chunk.subarray(-TAIL_BYTES));
    }
    const source = direction === 'up' ? line.client : line.server;
    if (target.write(chunk)) return;
    source.pause();
    target.once('drain', () => {
      if (!this.#paused) source.resume();
    });
  }

  /** What came before arrives; the side that sent it hears of a connection that is reset. */
  async #cut(line: Line, direction: Direction, last: Buffer): Promise<void> {
    const [from, target] = direction === 'up' ? [line.client, line.server] : [line.server, line.client];
    this.#lines.delete(line);
    this.cut++;
    from.resetAndDestroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    target.once('close', () => resolve());
    target.end(last, () => target.destroySoon());
    await promise;
  }

  #late(line: Line, kept: Buffer[]): Late {
    const { client, server } = line;
    line.kept = kept;
    // no end of either side is the other's any more
    this.#lines.delete(line);
    this.#halves.add(server);
    // not `once` of node:events, which fails if the server has ended it before
    const closed = new Promise<void>((resolve) => {
      server.once('close', () => {
        this.#halves.delete(server);
        resolve();
      });
    });
    return {
      cut: () => {
        this.cut++;
        client.resetAndDestroy();
      },
      deliver: async () => {
        client.resetAndDestroy();
        server.end(Buffer.concat(kept));
        await closed;
      },
    };
  }

  /** One side has closed: what it sent before is still on its way. */
  #close(line: Line): void {
    this.#lines.delete(line);
    // not `end`: one that is held up, since the other took no more, would never see its own end
    line.client.destroySoon();
    line.server.destroySoon();
  }

  #end(line: Line): void {
    if (!this.#lines.delete(line)) return;
    this.cut++;
    line.client.resetAndDestroy();
    line.server.destroy();
  }
}
