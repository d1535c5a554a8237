/** Whoever writes an engine proves it by a line for each suite: the contract, kept by the engine of docs/engines.md. */
import { join } from 'node:path';
import { describeContract } from '../semantics/contract-suite.ts';
import { describeRecords } from '../semantics/records-suite.ts';
import { describeWholeStores } from '../semantics/whole-stores-suite.ts';
import { providerWithEngine } from './build-with-engine.ts';

const Provider = await providerWithEngine(join(import.meta.dirname, 'an-engine-in-memory.ts'));

const open = (dbPath: string, storeId: string) => new Provider(dbPath, storeId);

describeContract('an engine in memory', open);
describeWholeStores('an engine in memory', open);
describeRecords('an engine in memory', open);
