/** Every Node that the package is tested on; or the one that `SDS_NODE` is the path of. */
import { nodes, run } from '../package/a-fresh-machine.ts';
import { describeRuntime } from './runtime-suite.ts';

const { SDS_NODE } = process.env;
// `npm test` runs on 24
const { '24': _, ...others } = nodes;

for (const [name, node] of Object.entries(SDS_NODE === undefined ? others : { [SDS_NODE]: SDS_NODE })) {
  describeRuntime({
    name: `Node ${name}`,
    run: (folder, args) => run(node, args, { cwd: folder }),
    hasSignals: process.platform !== 'win32',
  });
}
