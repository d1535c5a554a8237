/** The contract, on the package as it is installed: bundled for a framework of tests, whose stand-in takes the place of `vitest`. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describeContract } from '../../semantics/contract-suite.ts';
import { describeRecords } from '../../semantics/records-suite.ts';
import { describeWholeStores } from '../../semantics/whole-stores-suite.ts';

for (const describeSuite of [describeContract, describeWholeStores, describeRecords]) {
  describeSuite('this provider', (dbPath, storeId) => new SDS_DesktopPersistenceProvider(dbPath, storeId));
}
