/** The page's line to the front: measurements and news come in, orders go out. */
import type { PageOrder, PageReport } from '../protocol/control.ts';

const RETRY_AFTER_MS = 3000;

export class ControlChannel {
  readonly #hear: (report: PageReport) => void;
  readonly #onOpen: (open: boolean) => void;
  #socket: WebSocket | undefined;

  constructor(hear: (report: PageReport) => void, onOpen: (open: boolean) => void) {
    this.#hear = hear;
    this.#onOpen = onOpen;
    this.#open();
  }

  #open(): void {
    const socket = new WebSocket(`ws://${location.host}/control`);
    this.#socket = socket;
    socket.onopen = () => this.#onOpen(true);
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(String(data)) as PageReport);
    socket.onclose = () => {
      this.#onOpen(false);
      setTimeout(() => this.#open(), RETRY_AFTER_MS);
    };
  }

  order(order: PageOrder): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(order));
  }
}
