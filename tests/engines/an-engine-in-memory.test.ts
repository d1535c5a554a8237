/** Whoever writes an engine proves it by one line: all that the contract asks, kept by the engine of docs/engines.md. */
import { join } from 'node:path';
import { describeEverySuite } from '../semantics/every-suite.ts';
import { providerWithEngine } from './build-with-engine.ts';

const Provider = await providerWithEngine(join(import.meta.dirname, 'an-engine-in-memory.ts'));

describeEverySuite('an engine in memory', (...place) => new Provider(...place));
