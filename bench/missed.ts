/** The goals that were missed, each with what was reached and what stands in the way. */
import type { GoalResult, Results } from './results.ts';
import { formatReached } from './table.ts';

export type Explanations = Readonly<Record<string, string>>;

/** What is said of a goal; one that is the id of another goal stands for what is said of that one. */
export function explanationOf(id: string, explanations: Explanations): string | undefined {
  const said = explanations[id];
  return said !== undefined && said in explanations ? explanations[said] : said;
}

/** A heading for each, or for those that have one explanation in common. */
export function missedGoals({ goals }: Results, explanations: Explanations): string {
  const groups = Map.groupBy(
    goals.filter(({ met }) => !met),
    ({ id }) => explanationOf(id, explanations) ?? id,
  );
  return [...groups].map(([said, missed]) => section(missed, said)).join('\n\n');
}

function section(missed: readonly GoalResult[], said: string): string {
  const [first] = missed;
  const lines = missed.map(({ work, goal, reached, format }) => {
    const [median, lowest, highest] = [reached.median, reached.lowest, reached.highest].map((value) =>
      formatReached(value, format),
    );
    const what = missed.length === 1 ? 'Goal' : `${work}; goal`;
    return `${what}: ${goal}; reached: **${median}** (${lowest} … ${highest}).`;
  });
  const list = missed.length === 1 ? lines.join('') : lines.map((line) => `- ${line}`).join('\n');
  return [`### ${first?.work ?? ''}`, list, said].join('\n\n');
}
