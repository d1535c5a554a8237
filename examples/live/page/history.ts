/** The last minute of both servers, in rows of a quarter of a second, as the plots show it. */
import type { Sample, Side } from '../protocol/control.ts';

export const ROW_MS = 250;
export const ROWS = 240;
/** Rates are of the last second: a quarter of one holds too few patches for a quotient. */
const RATE_ROWS = 4;
/** Of fewer patches, what a server does anyway would look like their price. */
const LEAST_PATCHES = 20;

interface Row {
  at: number;
  sides: Record<Side, SideRow>;
}

interface SideRow {
  up: boolean;
  ms: number;
  delayMax: number;
  cpuUs: number;
  insideUs: number;
  patches: number;
  commits: number;
  roundTrips: number[];
}

export type Figure = 'delay' | 'roundTrip' | 'cpu' | 'inside' | 'commits' | 'patches';
type Rate = Exclude<Figure, 'delay' | 'roundTrip'>;

export class History {
  readonly #rows: Row[] = [];
  #next: Record<Side, SideRow> = { worker: emptyRow(), synchronous: emptyRow() };

  sample(side: Side, sample: Sample, commits: number): void {
    const row = this.#next[side];
    row.up = true;
    row.ms += sample.ms;
    row.delayMax = Math.max(row.delayMax, sample.delayMax);
    row.cpuUs += sample.cpuUs;
    row.insideUs += sample.insideUs;
    row.patches += sample.patches;
    row.commits += commits;
  }

  roundTrip(side: Side, ms: number): void {
    this.#next[side].roundTrips.push(ms);
  }

  /** Ends a row; called every ROW_MS. */
  turn(at: number): void {
    this.#rows.push({ at, sides: this.#next });
    if (this.#rows.length > ROWS) this.#rows.shift();
    this.#next = { worker: emptyRow(), synchronous: emptyRow() };
  }

  get times(): number[] {
    return this.#rows.map(({ at }) => at / 1000);
  }

  /** A value a row; null where there is none, which leaves a gap. */
  line(figure: Figure, side: Side): (number | null)[] {
    return this.#rows.map((row, index) => {
      const own = row.sides[side];
      if (figure === 'roundTrip') return own.roundTrips.length === 0 ? null : Math.max(...own.roundTrips);
      if (figure === 'delay') return own.up ? own.delayMax : null;
      return this.#rate(figure, side, index);
    });
  }

  #rate(figure: Rate, side: Side, index: number): number | null {
    const rows = this.#rows.slice(Math.max(0, index - RATE_ROWS + 1), index + 1);
    return rateIn(rows, figure, side, LEAST_PATCHES) ?? null;
  }

  longestDelay(side: Side): number | undefined {
    const delays = this.#rows.flatMap((row) => (row.sides[side].up ? row.sides[side].delayMax : []));
    return delays.length === 0 ? undefined : Math.max(...delays);
  }

  roundTripAt(side: Side, share: number): number | undefined {
    const all = this.#rows.flatMap((row) => row.sides[side].roundTrips).sort((a, b) => a - b);
    return all[Math.min(all.length - 1, Math.floor(all.length * share))];
  }

  /** Of all rows together. */
  mean(figure: Rate, side: Side): number | undefined {
    return rateIn(this.#rows, figure, side, 1);
  }

  /** How many key presses the figures stand on. */
  roundTrips(side: Side): number {
    return this.#rows.reduce((total, row) => total + row.sides[side].roundTrips.length, 0);
  }
}

/** A second for counts, a patch for times; undefined with fewer patches than `least`. */
function rateIn(rows: readonly Row[], figure: Rate, side: Side, least: number): number | undefined {
  const sum = (field: 'ms' | 'cpuUs' | 'insideUs' | 'commits' | 'patches') =>
    rows.reduce((total, row) => total + row.sides[side][field], 0);
  if (sum('ms') === 0) return undefined;
  if (figure === 'commits' || figure === 'patches') return (sum(figure) * 1000) / sum('ms');
  if (sum('patches') < least) return undefined;
  return sum(figure === 'cpu' ? 'cpuUs' : 'insideUs') / sum('patches');
}

function emptyRow(): SideRow {
  return { up: false, ms: 0, delayMax: 0, cpuUs: 0, insideUs: 0, patches: 0, commits: 0, roundTrips: [] };
}
