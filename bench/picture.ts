/** The picture of a burst for the README: on the main thread and committed, and how late timers become. */
import { init } from 'echarts';
import type { Results, ScenarioResult } from './results.ts';
import { svgOf } from './svg.ts';
import { digits, ratioToFirst, titleOf } from './table.ts';

const WIDTH = 960;
const OURS = '#0b7285';
const OTHERS = '#adb5bd';
const LIMIT = '#dee2e6';
const LIMITS = ['sqlite', 'copy', 'port', 'nothing'];

interface Panel {
  title: string;
  scenario: ScenarioResult;
  metric: string;
  unit: string;
}

/** One bar a case, on a logarithmic scale; the label has the median and the ratio to the first case. */
function panelOptions({ title, scenario, metric, unit }: Panel, index: number, top: number, height: number) {
  const bars = Object.entries(scenario.medians)
    .flatMap(([name, metrics]) => (metrics[metric] === undefined ? [] : [{ name, value: metrics[metric] }]))
    .reverse(); // the axis counts from below
  // on a logarithmic axis bars begin at 1: they are drawn in units of half the smallest value
  const unitLength = Math.min(...bars.map(({ value }) => value).filter((value) => value > 0)) / 2;
  const label = ({ name, value }: { name: string; value: number }) => {
    const ratio = ratioToFirst(scenario, name, metric);
    return `${digits(value)} ${unit}${name === bars.at(-1)?.name ? '' : `  (${digits(ratio)} ×)`}`;
  };
  return {
    title: { text: title, left: 16, top: top - 34, textStyle: { fontSize: 15 } },
    grid: { left: 230, right: 170, top, height },
    xAxis: {
      type: 'log' as const,
      gridIndex: index,
      splitLine: { show: false },
      axisLabel: { show: false },
      axisLine: { show: false },
      axisTick: { show: false },
      min: 1,
    },
    yAxis: {
      type: 'category' as const,
      gridIndex: index,
      data: bars.map(({ name }) => titleOf(name)),
      axisTick: { show: false },
      axisLabel: { fontSize: 12, color: '#343a40' },
    },
    series: {
      type: 'bar' as const,
      xAxisIndex: index,
      yAxisIndex: index,
      barWidth: '62%',
      data: bars.map(({ name, value }) => ({
        value: Math.max(value / unitLength, 1),
        itemStyle: { color: name.startsWith('provider') ? OURS : LIMITS.includes(name) ? LIMIT : OTHERS },
        label: { show: true, position: 'right' as const, fontSize: 12, formatter: label({ name, value }) },
      })),
    },
    count: bars.length,
  };
}

export function drawPicture(results: Results): string | undefined {
  const scenario = (name: string) => results.scenarios.find((one) => one.name === name);
  const burst = scenario('burst');
  const mixed = scenario('mixed');
  const panels: Panel[] = [];
  if (burst !== undefined) {
    panels.push(
      {
        title: 'A burst of 100,000 patches in one turn: main-thread time a patch (µs, shorter is better)',
        scenario: burst,
        metric: 'mainUs',
        unit: 'µs',
      },
      {
        title: 'The same burst: patches committed a second (longer is better)',
        scenario: burst,
        metric: 'perSecond',
        unit: '/s',
      },
    );
  }
  if (mixed !== undefined) {
    panels.push({
      title: 'Event-loop delay under a mixed load, p99.9 (ms, shorter is better)',
      scenario: mixed,
      metric: 'p999Ms',
      unit: 'ms',
    });
  }
  if (panels.length === 0) return undefined;
  let top = 50;
  const parts = panels.map((panel, index) => {
    const height = Object.keys(panel.scenario.medians).length * 26;
    const options = panelOptions(panel, index, top, height);
    top += height + 60;
    return options;
  });
  const { cpu, cores, node, sqlite } = results.machine;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: top + 10 });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    title: [
      ...parts.map(({ title }) => title),
      {
        text: `Medians of several rounds, logarithmic scale; ratios to the first bar; light bars are limits. ${cpu}, ${cores} cores, Node ${node}, SQLite ${sqlite}`,
        left: 16,
        top: top - 24,
        textStyle: { fontSize: 11, fontWeight: 'normal', color: '#868e96' },
      },
    ],
    grid: parts.map(({ grid }) => grid),
    xAxis: parts.map(({ xAxis }) => xAxis),
    yAxis: parts.map(({ yAxis }) => yAxis),
    series: parts.map(({ series }) => series),
  });
  return svgOf(chart, 'A burst: main-thread time and patches committed a second, and event-loop delay, by driver');
}
