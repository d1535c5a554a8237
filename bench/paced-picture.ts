/** The picture of patches as they come: what each costs the main thread, over their rate. */
import { init } from 'echarts';
import { LEAST_NOTICEABLE_US } from './goals/traffic.ts';
import type { Results } from './results.ts';
import { svgOf } from './svg.ts';
import { digits, titleOf } from './table.ts';
import { RATES } from './work/paced.ts';

const WIDTH = 960;
const HEIGHT = 430;
/** This provider last, so that its line lies above the others. */
const styles: Record<string, { color: string; width: number; labelled: boolean }> = {
  comlink: { color: '#adb5bd', width: 2, labelled: false },
  lmdb: { color: '#868e96', width: 2, labelled: false },
  reference: { color: '#e8590c', width: 3, labelled: true },
  provider: { color: '#0b7285', width: 4, labelled: true },
};

export function drawPacedPicture(results: Results): string | undefined {
  const scenario = results.scenarios.find(({ name }) => name === 'paced');
  if (scenario === undefined) return undefined;
  const series = Object.entries(styles).flatMap(([name, { color, width, labelled }]) => {
    const metrics = scenario.medians[name];
    if (metrics === undefined) return [];
    const points = RATES.map((rate) => {
      const value = metrics[`mainUs at ${rate}`] ?? Number.NaN;
      const words = value < LEAST_NOTICEABLE_US ? `< ${LEAST_NOTICEABLE_US}` : digits(value);
      return {
        value: [rate, Math.max(value, LEAST_NOTICEABLE_US)],
        // the last one leaves its place to the name of the line
        label: {
          formatter: `${words} µs`,
          show: labelled,
          color,
          fontSize: 12,
          align: rate === RATES.at(-1) ? 'right' : 'center',
        },
      };
    });
    return [
      {
        name: titleOf(name),
        type: 'line' as const,
        data: points,
        color,
        symbol: 'circle',
        symbolSize: 4 + width,
        lineStyle: { width },
        label: { position: name === 'provider' ? ('bottom' as const) : ('top' as const), distance: 6 },
        endLabel: { show: true, formatter: titleOf(name), color, fontSize: 13, distance: 14 },
        // names move out of each other's way, figures stay at their points
        labelLayout: ({ text }: { text: string }) => (text.endsWith('µs') ? {} : { moveOverlap: 'shiftY' as const }),
      },
    ];
  });
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  const { machine } = results;
  const perSecond = RATES.map((rate) => rate.toLocaleString('en-US')).join(', ');
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    title: [
      {
        text: 'Main-thread time a patch, as patches come from another process (µs, lower is better)',
        left: 16,
        top: 12,
        textStyle: { fontSize: 15 },
      },
      {
        text:
          `Patches of 200 bytes from another process, one or a few a turn, none awaited; beyond the same program that stores nothing; at ${perSecond} a second.\n` +
          `Medians of several rounds, logarithmic scales. ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, SQLite ${machine.sqlite}`,
        left: 16,
        top: HEIGHT - 44,
        textStyle: { fontSize: 11, fontWeight: 'normal', color: '#868e96', lineHeight: 15 },
      },
    ],
    grid: { left: 60, right: 190, top: 64, bottom: 96 },
    xAxis: {
      type: 'log' as const,
      min: 150,
      max: 25_000,
      name: 'patches a second',
      nameLocation: 'middle' as const,
      nameGap: 24,
      splitLine: { show: false },
      minorTick: { show: false },
      axisLabel: { color: '#343a40' },
    },
    yAxis: {
      type: 'log' as const,
      min: LEAST_NOTICEABLE_US,
      name: 'µs',
      axisLabel: { color: '#343a40' },
      splitLine: { lineStyle: { color: '#f1f3f5' } },
    },
    series,
  });
  return svgOf(chart, 'Main-thread time a patch over patches a second, by driver');
}
