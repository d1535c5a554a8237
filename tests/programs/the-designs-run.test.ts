/** The designs that were tried are measured by the same command: some of them, to see that it runs. */
import { test } from 'vitest';
import { designs } from '../../bench/designs/index.ts';
import { FEW_WAYS, measureDesigns, whyNoPeers } from './quick-run.ts';

test('measures the designs that were tried', { timeout: 600_000 }, ({ skip }) => {
  const why = whyNoPeers();
  if (why !== undefined) skip(`the peers that the benchmark compares with can't be installed: ${why}`);
  measureDesigns(designs.filter(({ server, cases }) => server !== true && cases.length <= FEW_WAYS));
});
