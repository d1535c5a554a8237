/** Messages of errors go into logs: they quote neither passwords nor what documents say. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import { MergedDocuments } from 'sds-persistence-worker/merged-documents';
import { expect, it } from 'vitest';
import { freshFile } from '../support/files.ts';

const server = 'postgres://app@127.0.0.1:1/notes';
const merge = 'data:text/javascript,';

it.each<[string, () => unknown]>([
  ['a password for a function', () => new SDS_DesktopPersistenceProvider(server, 's', { Password: 'secret' as never })],
  ['the same of documents', () => new MergedDocuments(server, { merge, password: 'secret' as never })],
  ['a URL for options', () => new SDS_DesktopPersistenceProvider(freshFile(), 's', 'postgres://u:secret@h/d' as never)],
  ['a URL of Python', () => new SDS_DesktopPersistenceProvider('postgresql+psycopg://u:secret@h/d', 's')],
  ['a URL of Java', () => new SDS_DesktopPersistenceProvider('jdbc:postgresql://h/d?user=u&password=secret', 's')],
  [
    'the same without a host',
    () => new SDS_DesktopPersistenceProvider('jdbc:postgresql:d?user=u&password=secret', 's'),
  ],
  ['a URL of a tool', () => new SDS_DesktopPersistenceProvider('prisma+postgres://u:secret@h/d', 's')],
  ['a line of a file', () => new SDS_DesktopPersistenceProvider('DATABASE_URL=postgres://u:secret@h/d', 's')],
  ['a URL of another server', () => new SDS_DesktopPersistenceProvider('mysql://u:secret@h/d', 's')],
])('%s', (_, construct) => {
  expect(construct).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  expect(construct).not.toThrow('secret');
});

it('a text for bytes', async () => {
  const provider = new SDS_DesktopPersistenceProvider(freshFile(), 's');
  for (const call of [
    () => provider.appendPatch('secret' as never, 1),
    () => provider.saveSnapshot('secret' as never),
    () => provider.saveValue('hash', 'secret' as never),
    () => provider.saveRecord('key', 'secret' as never),
  ]) {
    const error = await call().catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'invalid-argument', message: expect.not.stringContaining('secret') });
  }
  await provider.close();
});
