/** What is left to do with a chart once it is drawn. */
import type { ECharts } from 'echarts';

/** The picture's text; its title is told to readers that can't see it, and what happens under a mouse is left out. */
export function svgOf(chart: ECharts, title: string): string {
  const svg = chart
    .renderToSVGString()
    .replace(/^<svg[^>]*>/, (start) => `${start}<title>${title}</title>`)
    .replace(/<style[\s\S]*?<\/style>\n?/g, '');
  chart.dispose();
  return svg;
}
