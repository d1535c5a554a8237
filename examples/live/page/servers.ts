/** The table of the two servers: what each of them has and holds at the moment. */
import { type Sample, type Side, type SideState, sides } from '../protocol/control.ts';
import { elementOf } from './elements.ts';

interface Known {
  state: SideState | undefined;
  sample: Sample | undefined;
  snapshots: number;
}

const rows: readonly (readonly [title: string, value: (known: Known) => string])[] = [
  ['process', ({ state }) => (state === undefined ? '–' : state.pid === undefined ? 'down' : String(state.pid))],
  ['memory', ({ sample }) => (sample === undefined ? '–' : `${Math.round(sample.rssBytes / 1024 / 1024)} MB`)],
  ['connections, documents', ({ sample }) => (sample === undefined ? '–' : `${sample.sockets}, ${sample.rooms}`)],
  ['patches on their way', ({ sample }) => (sample === undefined ? '–' : sample.waiting.toLocaleString('en'))],
  ['snapshots saved', ({ snapshots }) => snapshots.toLocaleString('en')],
];

export class Servers {
  readonly #known: Record<Side, Known> = {
    worker: { state: undefined, sample: undefined, snapshots: 0 },
    synchronous: { state: undefined, sample: undefined, snapshots: 0 },
  };
  readonly #cells: { cell: HTMLElement; side: Side; value: (known: Known) => string }[] = [];

  constructor() {
    const body = elementOf('#servers', HTMLTableSectionElement);
    for (const [title, value] of rows) {
      const row = body.insertRow();
      const head = document.createElement('th');
      head.scope = 'row';
      head.textContent = title;
      row.append(head);
      for (const side of sides) this.#cells.push({ cell: row.insertCell(), side, value });
    }
  }

  state(side: Side, state: SideState): void {
    this.#known[side].state = state;
    if (state.pid === undefined) this.#known[side].sample = undefined;
  }

  sample(side: Side, sample: Sample): void {
    this.#known[side].sample = sample;
    this.#known[side].snapshots += sample.snapshots;
  }

  show(): void {
    for (const { cell, side, value } of this.#cells) {
      const text = value(this.#known[side]);
      if (cell.textContent !== text) cell.textContent = text;
    }
  }
}
