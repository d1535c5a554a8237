/** Draws the event loop's delay over time for both sides, as an SVG. */
import { init } from 'echarts';
import type { Beat } from './heartbeat.ts';
import type { SideResult } from './run-side.ts';
import { type Side, sideTitles } from './sides.ts';

const WIDTH = 900;
const HEIGHT = 440;
/** The beats of a session are gathered into so many points, each the largest delay of its time. */
const POINTS = 320;
/** Dark blue on light orange: told apart by lightness alone, and by every kind of colour vision. */
const colours: Readonly<Record<Side, { line: string; area: string; width: number }>> = {
  reference: { line: '#e08a00', area: 'rgba(245, 170, 60, 0.35)', width: 1.2 },
  worker: { line: '#123f7a', area: 'rgba(18, 63, 122, 0)', width: 1.8 },
};
/** The delay can be nothing, which a logarithmic axis has no place for. */
const LEAST_MS = 0.1;

export function drawPicture(title: string, results: Readonly<Record<Side, SideResult>>): string {
  const durationMs = Math.max(results.worker.durationMs, results.reference.durationMs);
  const pointMs = niceStep(durationMs / POINTS);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'Helvetica, Arial, DejaVu Sans, sans-serif', color: '#222222' },
    title: {
      text: 'Event-loop delay while an editing session is persisted',
      subtext: `${title}; the largest delay in each ${pointMs} ms`,
      left: 20,
      top: 14,
      textStyle: { fontSize: 18, color: '#111111' },
      subtextStyle: { fontSize: 13, color: '#444444' },
    },
    legend: {
      right: 28,
      top: 72,
      itemWidth: 22,
      itemHeight: 10,
      itemGap: 28,
      icon: 'roundRect',
      textStyle: { fontSize: 13, color: '#222222' },
    },
    grid: { left: 76, right: 28, top: 104, bottom: 56 },
    xAxis: {
      type: 'value',
      name: 'time since the session began (s)',
      nameLocation: 'middle',
      nameGap: 32,
      nameTextStyle: { fontSize: 13, color: '#333333' },
      min: 0,
      max: durationMs / 1000,
      axisLine: { lineStyle: { color: '#666666' } },
      axisLabel: { fontSize: 12, color: '#333333', showMaxLabel: Number.isInteger(durationMs / 1000) },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'log',
      name: 'delay (ms, logarithmic)',
      nameLocation: 'middle',
      nameRotate: 90,
      nameGap: 50,
      nameTextStyle: { fontSize: 13, color: '#333333' },
      min: LEAST_MS,
      axisLine: { show: true, lineStyle: { color: '#666666' } },
      axisLabel: { fontSize: 12, color: '#333333' },
      splitLine: { lineStyle: { color: '#dddddd' } },
    },
    // the later one is drawn on top
    series: (['reference', 'worker'] as const).map((side) => ({
      type: 'line',
      name: sideTitles[side],
      data: largestDelays(results[side].beats, pointMs),
      symbol: 'none',
      lineStyle: { width: colours[side].width, color: colours[side].line },
      itemStyle: { color: colours[side].line },
      areaStyle: { color: colours[side].area, origin: 'start' },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  const label = 'Event-loop delay over time, this package and the synchronous provider';
  return svg.replace('<svg ', `<svg role="img" aria-label="${label}" `);
}

function largestDelays(beats: readonly Beat[], pointMs: number): [seconds: number, delayMs: number][] {
  const largest: number[] = [];
  for (const { at, delay } of beats) {
    const index = Math.floor(at / pointMs);
    largest[index] = Math.max(largest[index] ?? LEAST_MS, delay);
  }
  return Array.from(largest, (delay, index) => [(index * pointMs) / 1000, delay ?? LEAST_MS]);
}

/** The next larger number that begins with 1, 2 or 5. */
function niceStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(wanted, 1)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= wanted) ?? 10) * power;
}
