import { run } from './calls-from-within.ts';

const [, , seed, scale] = process.argv;
const counts: Record<string, number> = {};
const t0 = Date.now();
await run({
  seed: Number(seed),
  scale: Number(scale),
  report: {
    count: (w, n = 1) => {
      counts[w] = (counts[w] ?? 0) + n;
    },
    most() {},
    violation: (w) => console.log('VIOLATION', w.slice(0, 300)),
    skip() {},
  },
});
console.log(counts, Date.now() - t0);
process.exit();
