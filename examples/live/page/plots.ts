/** The four plots, and the two figures above each of them. */
import uPlot from 'uplot';
import { type Side, sides } from '../protocol/control.ts';
import { elementOf } from './elements.ts';
import type { Figure, History } from './history.ts';

type PlotName = 'delay' | 'roundTrip' | 'cpu' | 'commits';

interface PlotKind {
  unit: string;
  /** The axis reaches at least so far, so that noise does not look like a mountain. */
  least: number;
  /** The axis shows all but the highest of a hundred values: a quotient of few patches says little. */
  cutsPeaks?: boolean;
  /** Thin lines behind the others. */
  behind?: Figure;
  value(history: History, side: Side): number | undefined;
  /** What the figure is. */
  what: string;
  /** A second figure, in words. */
  beside?(history: History, side: Side): string;
}

const kinds: Readonly<Record<PlotName, PlotKind>> = {
  delay: { unit: 'ms', least: 20, what: 'longest', value: (history, side) => history.longestDelay(side) },
  roundTrip: { unit: 'ms', least: 20, what: 'p99', value: (history, side) => history.roundTripAt(side, 0.99) },
  cpu: {
    unit: 'µs',
    least: 100,
    what: 'mean',
    cutsPeaks: true,
    value: (history, side) => history.mean('cpu', side),
    beside: (history, side) => `${readable(history.mean('inside', side))} µs in calls to save`,
  },
  commits: {
    unit: '',
    least: 20,
    what: 'mean',
    behind: 'patches',
    value: (history, side) => history.mean('commits', side),
    beside: (history, side) => `for ${readable(history.mean('patches', side))} patches`,
  },
};

const shortTitles: Readonly<Record<Side, string>> = { worker: 'this package', synchronous: 'synchronous' };
const HEIGHT = 132;
const WINDOW_S = 60;

class Plot {
  readonly #name: PlotName;
  readonly #kind: PlotKind;
  readonly #place: HTMLElement;
  readonly #values = new Map<Side, HTMLElement>();
  readonly #besides = new Map<Side, HTMLElement>();
  readonly #chart: uPlot;

  constructor(name: PlotName) {
    this.#name = name;
    this.#kind = kinds[name];
    const figure = elementOf(`[data-plot="${name}"]`, HTMLElement);
    this.#place = elementOf('.canvas', HTMLElement, figure);
    const list = elementOf('dl', HTMLElement, figure);
    for (const side of sides) {
      const entry = document.createElement('div');
      entry.className = `of-${side}`;
      const title = document.createElement('dt');
      title.textContent = `${shortTitles[side]}, ${this.#kind.what}`;
      const value = document.createElement('dd');
      value.textContent = '–';
      entry.append(title, value);
      if (this.#kind.beside !== undefined) {
        const beside = document.createElement('dd');
        beside.className = 'beside';
        entry.append(beside);
        this.#besides.set(side, beside);
      }
      list.append(entry);
      this.#values.set(side, value);
    }
    this.#chart = new uPlot(this.#options(), [[], []], this.#place);
    new ResizeObserver(() => this.#fit()).observe(this.#place);
  }

  #options(): uPlot.Options {
    const line = (side: Side, behind = false): uPlot.Series => ({
      stroke: () => color(`--${side}`, behind ? 0.45 : 1),
      width: behind ? 1 : 1.75,
      points: { show: false },
      spanGaps: false,
    });
    const axis: uPlot.Axis = {
      stroke: () => color('--muted'),
      font: '11px "Inter Variable", system-ui, sans-serif',
      grid: { stroke: () => color('--line'), width: 1 },
      ticks: { show: false },
    };
    return {
      width: Math.max(200, this.#place.clientWidth),
      height: HEIGHT,
      pxAlign: 1,
      padding: [8, 14, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      scales: {
        x: { time: false, range: () => [-WINDOW_S, 0] },
        y: { range: (_chart, _least, most) => [0, Math.max(this.#kind.least, this.#most(most ?? 0) * 1.08)] },
      },
      axes: [
        { ...axis, size: 22, gap: 4, grid: { show: false }, splits: () => [-60, -45, -30, -15, 0], values: seconds },
        { ...axis, size: 40, gap: 6, space: 34, values: (_chart, splits) => splits.map(shortNumber) },
      ],
      // the synchronous one first, so that the other is drawn over it
      series: [
        {},
        ...(this.#kind.behind === undefined ? [] : [line('synchronous', true), line('worker', true)]),
        line('synchronous'),
        line('worker'),
      ],
    };
  }

  #most(most: number): number {
    if (!this.#kind.cutsPeaks) return most;
    const lines: readonly (number | null | undefined)[][] = this.#chart.data.slice(1).map((line) => [...line]);
    const values = lines.flat().filter((value) => typeof value === 'number');
    return values.sort((a, b) => a - b)[Math.floor(values.length * 0.97)] ?? most;
  }

  #fit(): void {
    const width = this.#place.clientWidth;
    if (width > 0 && width !== this.#chart.width) this.#chart.setSize({ width, height: HEIGHT });
  }

  show(history: History): void {
    const { times } = history;
    const now = times.at(-1) ?? 0;
    const { behind } = this.#kind;
    const front: Figure = this.#name;
    this.#chart.setData([
      times.map((time) => time - now),
      ...(behind === undefined ? [] : [history.line(behind, 'synchronous'), history.line(behind, 'worker')]),
      history.line(front, 'synchronous'),
      history.line(front, 'worker'),
    ]);
    for (const [side, element] of this.#values) {
      const value = this.#kind.value(history, side);
      setText(element, value === undefined ? '–' : `${readable(value)} ${this.#kind.unit}`.trim());
    }
    for (const [side, element] of this.#besides) setText(element, this.#kind.beside?.(history, side) ?? '');
  }

  redraw(): void {
    this.#chart.redraw(false, true);
  }
}

export class Plots {
  readonly #plots = (['delay', 'roundTrip', 'cpu', 'commits'] as const).map((name) => new Plot(name));

  constructor() {
    // colours come from the style sheet, which follows the system
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const plot of this.#plots) plot.redraw();
    });
  }

  show(history: History): void {
    for (const plot of this.#plots) plot.show(history);
  }
}

function color(name: string, alpha = 1): string {
  const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return alpha === 1 ? value : `${value}${Math.round(alpha * 255).toString(16)}`;
}

function seconds(_chart: uPlot, splits: number[]): string[] {
  return splits.map((at) => (at === 0 ? 'now' : `${-at} s`));
}

function shortNumber(value: number): string {
  return value >= 10_000 ? `${value / 1000}k` : String(value);
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function readable(value: number | undefined): string {
  if (value === undefined) return '–';
  if (value < 10) return value.toFixed(1);
  return Math.round(value).toLocaleString('en');
}
