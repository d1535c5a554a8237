/** The contract, on the package as it is installed: bundled for a framework of tests, whose stand-in takes the place of `vitest`. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { describeEverySuite } from '../../semantics/every-suite.ts';

describeEverySuite('this provider', (...place) => new SDS_DesktopPersistenceProvider(...place));
