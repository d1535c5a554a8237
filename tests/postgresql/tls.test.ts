/** Encrypted connections: verified unless that is switched off by name. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { basename, dirname } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { expect, it, onTestFinished } from 'vitest';
import { howToHaveOpenssl } from '../support/certificates.ts';
import { encrypting } from '../support/encrypting-server.ts';
import { describeOnPostgresql, itOnOwnServer, server } from '../support/postgresql.ts';
import { runProgram } from '../support/programs.ts';
import { codesOf } from './outcomes.ts';

describeOnPostgresql('TLS', () => {
  itOnOwnServer(
    'a certificate that can not be verified: open-failed; and each way to say what is wanted',
    async ({ annotate }) => {
      const with_ = await encrypting();
      if (with_ === undefined) return void (await annotate(howToHaveOpenssl, 'skipped'));
      const { own, made } = with_;
      const database = await own.freshDatabase();
      const codesWith = async (parameters: string, host = '127.0.0.1') => {
        const url = own.url(database, { parameters }).replace('127.0.0.1', host);
        const provider = new SDS_DesktopPersistenceProvider(url, 'store', { BusyTimeoutMs: 0 });
        onTestFinished(() => provider.close());
        const codes = await codesOf(provider);
        const [row] = await own.query<{ ssl: boolean }>(
          `SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.datname = $1`,
          [database],
        );
        await provider.close();
        return [...codes, row === undefined ? 'no connection' : row.ssl ? 'encrypted' : 'plain'];
      };
      const root = `sslrootcert=${encodeURIComponent(made.authority)}`;
      expect(await codesWith('sslmode=verify-full')).toEqual(['open-failed', 'no connection']);
      expect(await codesWith('sslmode=verify-ca')).toEqual(['open-failed', 'no connection']);
      expect(await codesWith('sslmode=require')).toEqual(['carried out', 'encrypted']);
      expect(await codesWith('sslmode=disable')).toEqual(['carried out', 'plain']);
      expect(await codesWith(`sslmode=verify-ca&${root}`)).toEqual(['carried out', 'encrypted']);
      // the certificate is for another name than this
      expect(await codesWith(`sslmode=verify-full&${root}`)).toEqual(['open-failed', 'no connection']);
      expect(await codesWith(`sslmode=verify-full&${root}`, 'localhost')).toEqual(['carried out', 'encrypted']);
      // bound to this connection, or not at all
      expect(await codesWith('sslmode=require&channel_binding=require')).toEqual(['carried out', 'encrypted']);
      // on this machine nothing has to be said
      expect(await codesWith('')).toEqual(['carried out', 'plain']);
    },
  );

  itOnOwnServer(
    'the path of a certificate is relative to the working directory at the call, whatever that is at a connection',
    async ({ annotate }) => {
      const with_ = await encrypting();
      if (with_ === undefined) return void (await annotate(howToHaveOpenssl, 'skipped'));
      const { own, made } = with_;
      const parameters = `sslmode=verify-ca&sslrootcert=${encodeURIComponent(basename(made.authority))}`;
      const url = JSON.stringify(own.url(await own.freshDatabase(), { parameters }));
      const program = `process.chdir(${JSON.stringify(dirname(made.authority))});
        await using provider = new SDS_DesktopPersistenceProvider(${url}, 'store');
        process.chdir('/');
        await provider.appendPatch(patchOf(1), 1);
        console.log((await provider.loadPatchesSince(0)).length);`;
      expect(await runProgram(program, 'unused')).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
    },
  );

  it('a server that has no room to begin with it: away for now, and not open-failed', async () => {
    const shortOfMemory = createServer((socket) => {
      socket.once('data', () => socket.end('Ecould not fork new process for connection\n\0'));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void shortOfMemory.close());
    await once(shortOfMemory, 'listening');
    const { port } = shortOfMemory.address() as AddressInfo;
    const url = server.url('some', { port, parameters: 'sslmode=require' });
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { RetryForMs: 300 });
    onTestFinished(() => provider.close());
    await expect(provider.ready()).rejects.toMatchObject({ code: 'connection-failed' });
  });

  it('a server that does not encrypt: open-failed, not a password in the clear', async () => {
    const database = await server.freshDatabase();
    onTestFinished(() => server.dropDatabase(database));
    const url = server.url(database, { parameters: 'sslmode=require' });
    const provider = new SDS_DesktopPersistenceProvider(url, 'store', { RetryForMs: 300 });
    onTestFinished(() => provider.close());
    expect(await codesOf(provider)).toEqual(['open-failed']);
  });
});
