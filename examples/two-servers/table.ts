/** The result as a table, and whether it is as it has to be. */
import type { Result } from './play.ts';

export function isAsItHasToBe({ typed, acknowledged, lost, different, late }: Result): boolean {
  if (lost > 0 || different > 0 || acknowledged !== typed) return false;
  if (late === undefined) return true;
  // a server that comes back has something to write, and all of it has to be refused
  return late.stored === 0 && (late.refused.get('fenced') ?? 0) > 0;
}

export function tableOf(result: Result): string {
  const rows: [string, string][] = [
    ['documents, of them moved', `${count(result.documents)}, ${count(result.movedDocuments)}`],
    ['editors', count(result.editors)],
    ['edits', count(result.typed)],
    ['acknowledged as durable', count(result.acknowledged)],
    ['typed while no server had the document', count(result.typedAlone)],
    ['sent again to the other server', count(result.sentAgain)],
    ['lost', count(result.lost)],
    ['documents that differ from the database', count(result.different)],
    ['first document served by the other server after', seconds(result.firstServedMs)],
    ['last one after', seconds(result.lastServedMs)],
  ];
  if (result.late !== undefined) {
    for (const [code, edits] of result.late.refused) rows.push([`late writes refused (${code})`, count(edits)]);
    rows.push(['late writes in the database', count(result.late.stored)]);
  }
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map(([title, value]) => `${title.padEnd(widths[0] ?? 0)}   ${value.padStart(widths[1] ?? 0)}`).join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
