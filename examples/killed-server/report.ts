/** What a server's process says of itself to whoever has started it, with which it ends. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ServerReport, Side } from './protocol.ts';

const REPORT_MS = 500;
const RESOLUTION_MS = 1;

/** What its supervisor wants of it. */
export function readOrder(): { side: Side; database: string; port: number } {
  const [side = '', database = '', port = '0'] = process.argv.slice(2);
  return { side, database, port: Number(port) };
}

/** Tells where it listens, and from then on how long its event loop was held up. */
export function reportListening(port: number): void {
  const report = (message: ServerReport) => process.send?.(message, () => undefined);
  report({ kind: 'listening', port });
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  setInterval(() => {
    // what is recorded is the time between two rounds of the timer
    report({ kind: 'delay', ms: delays.count === 0 ? 0 : Math.max(0, delays.max / 1e6 - RESOLUTION_MS) });
    delays.reset();
  }, REPORT_MS);
}

// whoever started this has ended
process.once('disconnect', () => process.exit());
