/** Every code sample of the documents runs, prints what its comments say, and compiles as strictly as TypeScript can be told by one option. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';
import { postgresqlSchema } from 'sds-persistence-worker';
import { describe, expect, inject, it } from 'vitest';
import { freshFolder } from '../support/files.ts';
import { postgresql } from '../support/postgresql.ts';

const root = join(import.meta.dirname, '../..');
const documents = [
  'README.md',
  'docs/api.md',
  'docs/automerge-repo.md',
  'docs/hocuspocus.md',
  'docs/operations.md',
  'docs/recipes.md',
  'docs/scale.md',
  'docs/swap.md',
  'docs/yjs.md',
  'examples/README.md',
  'src/hocuspocus/hocuspocus-persistence.ts',
  'src/hocuspocus/import-documents.ts',
  'src/automerge-repo/storage.ts',
  'src/merged-documents/merged-documents.ts',
  'src/main/operations/operations.ts',
  'src/main/provider.ts',
  'src/yjs/yjs-persistence.ts',
];
/** What samples import beside this package. */
const packages = [
  '@automerge',
  '@hocuspocus',
  '@opentelemetry',
  '@tldraw',
  'loro-crdt',
  'pg',
  'prom-client',
  'tinybase',
  'y-leveldb',
  'y-websocket',
  'yjs',
];
/** A database in a sample; where it runs, another one takes its place. */
const someDatabase = /postgres:\/\/[^'\s]+/g;
const server = inject('postgresql');

/** With tables, since samples may have `CreateTables: false`. */
async function databaseWithTables(): Promise<string> {
  const place = await postgresql.freshPlace();
  const client = new pg.Client(place);
  await client.connect();
  await client.query(postgresqlSchema);
  await client.end();
  return place;
}

/** A sample that begins with its name is a file that others of its document import. */
const named = /^\/\/ ([\w-]+\.mjs)\n/;

/** What samples in a docstring have without saying so. */
const imports = "import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker'\n";
const files = `import { backupDatabase, compactDatabase, copyStores, describeDatabase, restoreDatabase, verifyDatabase } from 'sds-persistence-worker'
const Provider = new SDS_DesktopPersistenceProvider('./notes.db', 'my-store')
await Provider.appendPatch(new Uint8Array([1, 2, 3]), 1)
await backupDatabase('./notes.db', './backup.db')
await Provider.close()
`;

interface Sample {
  document: string;
  language: string;
  code: string;
}

/** An empty folder where everything that samples import is installed. */
function freshProject(): string {
  const folder = freshFolder();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'sds-persistence-worker'));
  for (const name of packages) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  return folder;
}

/** Fenced blocks of documents, and `@example`s of docstrings that are programs. */
function samplesOf(document: string): Sample[] {
  const text = readFileSync(join(root, document), 'utf8');
  if (document.endsWith('.md')) {
    return [...text.matchAll(/^```(js|cjs|ts)\n([\s\S]*?)^```/gm)].map(([, language = '', code = '']) => ({
      document,
      language,
      code,
    }));
  }
  const given = document === 'src/main/operations/operations.ts' ? imports + files : imports;
  return [...text.matchAll(/@example\n((?:\s*\* .*\n)+?)\s*\*\//g)].map(([, lines = '']) => ({
    document,
    language: 'js',
    code: given + lines.replaceAll(/^\s*\* /gm, ''),
  }));
}

describe('code samples', () => {
  const all = documents.flatMap(samplesOf);
  const samples = all.filter(({ code }) => !named.test(code));

  it('there are some in each document', () => {
    expect(new Set(samples.map(({ document }) => document))).toEqual(new Set(documents));
  });

  for (const [index, { document, language, code }] of samples.entries()) {
    it(`${document}, sample ${index + 1}, runs`, async ({ skip }) => {
      const wantsServer = code.search(someDatabase) >= 0;
      if (wantsServer && 'missing' in server) skip(server.missing);
      const database = wantsServer ? await databaseWithTables() : '';
      const folder = freshProject();
      for (const other of all) {
        const [, name] = named.exec(other.code) ?? [];
        if (name !== undefined && other.document === document) writeFileSync(join(folder, name), other.code);
      }
      const program = join(folder, `sample.${language === 'cjs' ? 'cjs' : language === 'ts' ? 'mts' : 'mjs'}`);
      writeFileSync(program, code.replaceAll(someDatabase, database));
      const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
        cwd: folder,
        encoding: 'utf8',
        // as from a store of secrets
        env: { ...process.env, ...(wantsServer ? { PGPASSWORD: decodeURIComponent(new URL(database).password) } : {}) },
        timeout: 180_000, // one that waits for something that never comes
      });
      // a comment behind console.log is what it prints
      const announced = [...code.matchAll(/console\.log\(.*\);? \/\/ (.*)$/gm)].map(([, text]) => text);
      expect({ status, printed: stdout.split('\n').filter(Boolean) }, stderr).toEqual({
        status: 0,
        printed: announced,
      });
      expect(stderr).not.toContain('Error'); // that a sample prints behind its end, too
    });
  }

  it('compile under the option strict, whatever they are pasted into', () => {
    const folder = freshProject();
    symlinkSync(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'));
    copyFileSync(join(root, 'tests/documents/modules.d.ts'), join(folder, 'modules.d.ts')); // as docs/yjs.md says
    for (const [index, { document, language, code }] of all.entries()) {
      const place = join(folder, dirname(document), basename(document));
      mkdirSync(place, { recursive: true });
      const [, name] = named.exec(code) ?? [];
      writeFileSync(join(place, name ?? `sample-${index + 1}.${language === 'cjs' ? 'cts' : 'mts'}`), code);
    }
    const compilerOptions = {
      target: 'es2023',
      lib: ['es2023', 'esnext.disposable'],
      module: 'nodenext',
      types: ['node'],
      strict: true,
      checkJs: true,
      noEmit: true,
      skipLibCheck: true, // the declarations of other packages are theirs
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }));
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout, stderr } = spawnSync(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(stdout + stderr).toBe('');
  });
});
