/** Checkpoints run in the worker, and are told when this thread hears of them: with their own times, each by itself. */
import { setTimeout as pause } from 'node:timers/promises';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';
import { afterQuiet, traced } from './listening.ts';

it('two that nobody was told of meanwhile: when each began, and how long it took', async () => {
  const checkpoints = traced('checkpoint');
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  let end = performance.now();
  await provider.appendPatch(new Uint8Array(3_000_000), 1);
  // one as soon as it is quiet; and one that empties the log, once it was quiet for long
  while (provider.statistics().Worker.Checkpoints < 2) await pause(100);
  await provider.loadSnapshot();
  const { Checkpoints, CheckpointMilliseconds } = provider.statistics().Worker;
  expect(checkpoints.contexts.map((context) => context.Checkpoints)).toEqual([1, 2]);
  expect(Checkpoints).toBe(2);
  expect(checkpoints.events).toEqual(
    [1, 2].flatMap(() => ['start', 'end', 'asyncStart', 'asyncEnd']), // one after the other
  );
  let inAll = 0;
  for (const { BegunAt, DurationMs, Milliseconds } of checkpoints.contexts as Record<string, number>[]) {
    expect(BegunAt).toBeGreaterThan(end);
    expect(DurationMs).toBeGreaterThan(0);
    end = Number(BegunAt) + Number(DurationMs);
    inAll += Number(DurationMs);
    expect(Milliseconds).toBeCloseTo(inAll, 6);
  }
  expect(performance.now()).toBeGreaterThan(end);
  expect(CheckpointMilliseconds).toBeCloseTo(inAll, 6);
});

it('a span of OpenTelemetry takes its times from there', async () => {
  const checkpoints = traced('checkpoint');
  await using provider = new SDS_DesktopPersistenceProvider(freshFile(), 'store');
  await provider.appendPatch(new Uint8Array(3_000_000), 1);
  while (checkpoints.contexts.length === 0) await afterQuiet(provider);
  const { BegunAt, DurationMs } = checkpoints.contexts[0] as Record<'BegunAt' | 'DurationMs', number>;

  const exporter = new InMemorySpanExporter();
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  tracers
    .getTracer('test')
    .startSpan('checkpoint', { startTime: BegunAt })
    .end(BegunAt + DurationMs);
  const [span] = exporter.getFinishedSpans();
  const [seconds, nanoseconds] = span?.duration ?? [];
  expect(Number(seconds) * 1000 + Number(nanoseconds) / 1e6).toBeCloseTo(DurationMs, 3);
  await tracers.shutdown();
});
