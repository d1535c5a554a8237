/** Shows how far the work is, on stderr: a bar on a terminal, else a line for each stage. */
import { Presets, SingleBar } from 'cli-progress';
import type { Stage } from './run-side.ts';
import { type Side, sides, sideTitles } from './sides.ts';

/** Where each stage starts in a side's share of the bar, roughly by the time it takes. */
const stageStart: Readonly<Record<Stage, number>> = { playing: 0, measuring: 0.6, restoring: 0.95 };
const stageLength: Readonly<Record<Stage, number>> = { playing: 0.6, measuring: 0.35, restoring: 0.05 };

const stageTitles: Readonly<Record<Stage, string>> = {
  playing: 'playing the session',
  measuring: 'measuring the main-thread time',
  restoring: 'restoring in a fresh process',
};

export interface Progress {
  show(side: Side, stage: Stage, share: number): void;
  stop(): void;
}

export function startProgress(): Progress {
  return process.stderr.isTTY ? startBar() : startLines();
}

function startBar(): Progress {
  const bar = new SingleBar(
    { format: '{bar} {percentage}%  {what}', hideCursor: true, clearOnComplete: true, stream: process.stderr },
    Presets.shades_classic,
  );
  bar.start(100, 0, { what: '' });
  return {
    show(side, stage, share) {
      const ofSide = stageStart[stage] + stageLength[stage] * share;
      const whole = (sides.indexOf(side) + ofSide) / sides.length;
      bar.update(Math.floor(whole * 100), { what: `${sideTitles[side]}: ${stageTitles[stage]}` });
    },
    stop: () => bar.stop(),
  };
}

function startLines(): Progress {
  let last = '';
  return {
    show(side, stage, share) {
      const line = `${sideTitles[side]}: ${stageTitles[stage]}`;
      if (line === last || share === 1) return;
      last = line;
      console.error(`${line} ...`);
    },
    stop() {},
  };
}
