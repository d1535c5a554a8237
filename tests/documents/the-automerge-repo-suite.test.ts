/** The tests that automerge-repo publishes for whoever writes a storage. */
import { runStorageAdapterTests } from '@automerge/automerge-repo/helpers/tests/storage-adapter-tests.js';
import { AutomergeRepoStorage } from 'sds-persistence-worker/automerge-repo';
import { describe } from 'vitest';
import type { Engine } from '../support/engine.ts';
import { sqlite } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';

function runOn({ name, freshPlace }: Engine): void {
  runStorageAdapterTests(async () => {
    const adapter = new AutomergeRepoStorage(await freshPlace());
    return { adapter, teardown: () => adapter.close() };
  }, name);
}

describe('on a file', () => runOn(sqlite));
describeOnPostgresql('on a server', () => runOn(postgresql));
