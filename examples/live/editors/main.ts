/** The simulated editors' process, so that they don't share an event loop with a server. */
import { type CrowdOrder, type CrowdReport, sides } from '../protocol/control.ts';
import { Crowd } from './crowd.ts';

const TICK_MS = 20;
const REPORT_MS = 250;

const crowd = new Crowd();
let last = performance.now();
const ticking = setInterval(() => {
  const now = performance.now();
  crowd.tick(now - last);
  last = now;
}, TICK_MS);
const reporting = setInterval(() => {
  const connected = { worker: crowd.connected('worker'), synchronous: crowd.connected('synchronous') };
  tell({ kind: 'crowd', connected, keys: crowd.keys });
  for (const side of sides) {
    const found = crowd.takeComparison(side);
    if (found !== undefined) tell({ kind: 'compared', side, ...found });
  }
}, REPORT_MS);

function tell(report: CrowdReport): void {
  if (process.connected) process.send?.(report);
}

process.on('message', (order: CrowdOrder) => crowd.follow(order));
process.on('disconnect', stop);
// Ctrl-C reaches every process of a terminal; whoever started this one ends it
process.on('SIGINT', () => undefined);
process.on('SIGTERM', stop);

function stop(): void {
  clearInterval(ticking);
  clearInterval(reporting);
  process.exit(0);
}
