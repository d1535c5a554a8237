/** Draws the event loop's delay over time, a strip for each side with the same axes, as an SVG. */
import { init } from 'echarts';
import type { Beat } from './heartbeat.ts';
import type { SideResult } from './run-side.ts';
import { type Side, sideTitles } from './sides.ts';

const WIDTH = 900;
const STRIP_HEIGHT = 150;
const FIRST_STRIP_AT = 118;
const BETWEEN_STRIPS = 54;
/** The beats of a session are gathered into so many points, each the largest delay of its time. */
const POINTS = 400;
/** From above. Told apart by lightness alone, and by every kind of colour vision. */
const strips: readonly { side: Side; colour: string; area: string }[] = [
  { side: 'reference', colour: '#c66a00', area: '#f3b562' },
  { side: 'worker', colour: '#123f7a', area: '#5b86bd' },
];
/** A display shows a picture so often: what is late by more is seen. */
const FRAME_MS = 1000 / 60;

type Drawn = Pick<SideResult, 'beats' | 'delay' | 'durationMs'>;

export function drawPicture(title: string, results: Readonly<Record<Side, Drawn>>): string {
  const durationMs = Math.max(results.worker.durationMs, results.reference.durationMs);
  const pointMs = niceStep(durationMs / POINTS);
  const most = Math.max(...strips.map(({ side }) => results[side].delay.max), FRAME_MS);
  const stripAt = (index: number) => FIRST_STRIP_AT + index * (STRIP_HEIGHT + BETWEEN_STRIPS);
  const height = stripAt(strips.length) + 12;
  const last = strips.length - 1;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'Helvetica, Arial, DejaVu Sans, sans-serif', color: '#222222' },
    title: [
      {
        text: 'Event-loop delay while an editing session is persisted',
        subtext: `${title};\nthe largest delay in each ${pointMs} ms, the same scale for both`,
        left: 20,
        top: 14,
        textStyle: { fontSize: 18, color: '#111111' },
        subtextStyle: { fontSize: 13, color: '#444444', lineHeight: 17 },
      },
      ...strips.map(({ side, colour }, index) => ({
        text: describe(side, results[side]),
        left: 72,
        top: stripAt(index) - 26,
        textStyle: { fontSize: 14, color: colour },
      })),
    ],
    grid: strips.map((_, index) => ({ left: 76, right: 28, top: stripAt(index), height: STRIP_HEIGHT })),
    xAxis: strips.map((_, index) => ({
      type: 'value',
      gridIndex: index,
      name: index === last ? 'time since the session began (s)' : '',
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: { fontSize: 13, color: '#333333' },
      min: 0,
      max: durationMs / 1000,
      axisLine: { lineStyle: { color: '#666666' } },
      axisLabel: {
        show: index === last,
        fontSize: 12,
        color: '#333333',
        showMaxLabel: Number.isInteger(durationMs / 1000),
      },
      splitLine: { show: false },
    })),
    yAxis: strips.map((_, index) => ({
      type: 'value',
      gridIndex: index,
      name: 'delay (ms)',
      nameLocation: 'middle',
      nameRotate: 90,
      nameGap: 46,
      nameTextStyle: { fontSize: 13, color: '#333333' },
      min: 0,
      max: niceStep(most),
      splitNumber: 4,
      axisLine: { show: true, lineStyle: { color: '#666666' } },
      axisLabel: { fontSize: 12, color: '#333333' },
      splitLine: { lineStyle: { color: '#e4e4e4' } },
    })),
    series: strips.map(({ side, colour, area }, index) => ({
      type: 'line',
      name: sideTitles[side],
      xAxisIndex: index,
      yAxisIndex: index,
      data: largestDelays(results[side].beats, pointMs),
      symbol: 'none',
      lineStyle: { width: 1.2, color: colour },
      itemStyle: { color: colour },
      areaStyle: { color: area, opacity: 0.7 },
      markLine: {
        silent: true,
        symbol: 'none',
        lineStyle: { color: '#868e96', type: 'dashed', width: 1 },
        label: { formatter: 'a frame of a display', position: 'insideStartTop', fontSize: 11, color: '#666666' },
        data: [{ yAxis: FRAME_MS }],
      },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  const label = 'Event-loop delay over time, the synchronous provider above and this package below';
  return svg.replace('<svg ', `<svg role="img" aria-label="${label}" `);
}

function describe(side: Side, { delay: { p99, max } }: Drawn): string {
  return `${sideTitles[side]}: p99 ${milliseconds(p99)}, at most ${milliseconds(max)}`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

function largestDelays(beats: readonly Beat[], pointMs: number): [seconds: number, delayMs: number][] {
  const largest: number[] = [];
  for (const { at, delay } of beats) {
    const index = Math.floor(at / pointMs);
    largest[index] = Math.max(largest[index] ?? 0, delay);
  }
  return Array.from(largest, (delay, index) => [(index * pointMs) / 1000, delay ?? 0]);
}

/** The next larger number that begins with 1, 2 or 5. */
function niceStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(wanted, 1)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= wanted) ?? 10) * power;
}
