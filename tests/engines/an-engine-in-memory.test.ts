/** Whoever writes an engine proves it by one line: the contract, kept by the engine of docs/engines.md. */
import { join } from 'node:path';
import { describeContract } from '../semantics/contract-suite.ts';
import { providerWithEngine } from './build-with-engine.ts';

const Provider = await providerWithEngine(join(import.meta.dirname, 'an-engine-in-memory.ts'));

describeContract('an engine in memory', (dbPath, storeId) => new Provider(dbPath, storeId));
