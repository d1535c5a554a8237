/** The result as a table, and whether it is as it has to be. */
import type { Result } from './play.ts';

export function isAsItHasToBe(result: Result): boolean {
  return (
    result.lost === 0 &&
    result.different === 0 &&
    result.acknowledged === result.typed &&
    // of a server that comes back something has to be refused, and for this reason only
    (result.late === undefined || (result.late.size === 1 && (result.late.get('fenced') ?? 0) > 0))
  );
}

export function tableOf(result: Result): string {
  const rows: [string, string][] = [
    ['documents, of them moved', `${count(result.documents)}, ${count(result.movedDocuments)}`],
    ['editors', count(result.editors)],
    ['edits', count(result.typed)],
    ['acknowledged as durable', count(result.acknowledged)],
    ['sent again to the other server', count(result.sentAgain)],
    ['lost', count(result.lost)],
    ['documents that differ from the database', count(result.different)],
    ['first document served by the other server after', seconds(result.firstServedMs)],
    ['last one after', seconds(result.lastServedMs)],
  ];
  for (const [code, edits] of result.late ?? []) rows.push([`late writes refused (${code})`, count(edits)]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map(([title, value]) => `${title.padEnd(widths[0] ?? 0)}   ${value.padStart(widths[1] ?? 0)}`).join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
