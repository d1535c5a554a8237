/** A small slice of the rig torture/postgresql-lost-connections.ts. */
import { runTrouble, troubleOfServer, troublesOfLine } from '../../torture/postgresql-lost-connections.ts';
import { describeOnPostgresql, ownServer, postgresql, server } from '../support/postgresql.ts';
import { databasesOn } from '../support/postgresql-engine.ts';
import { slice, sliceOnPostgresql } from './slices.ts';

describeOnPostgresql('on PostgreSQL every call is carried out, once', () => {
  for (const trouble of troublesOfLine(server)) {
    sliceOnPostgresql(trouble.name, (_, context) => runTrouble(server, postgresql, trouble, context), 0.02);
  }
  slice(
    'server killed or stopped, and started again',
    async (context) => {
      const own = await ownServer();
      await runTrouble(own, databasesOn(own), troubleOfServer(own), context);
    },
    0.01,
  );
});
