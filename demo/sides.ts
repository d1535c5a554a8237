/** The two sides that are compared. */

export const sides = ['worker', 'reference'] as const;
export type Side = (typeof sides)[number];

export const sideTitles: Readonly<Record<Side, string>> = {
  worker: 'this package',
  reference: 'synchronous',
};
