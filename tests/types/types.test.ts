/** The types, compiled as users compile them: against the installed package, in each way to resolve modules. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installed, place, runNode } from '../package/a-fresh-machine.ts';

const root = join(import.meta.dirname, '../..');
/** The oldest that the declarations are for, and the one that made them. */
const compilers = {
  '5.4': join(root, 'tests/nodes/node_modules/typescript-5.4/bin/tsc'),
  '7': join(root, 'node_modules/typescript/bin/tsc'),
};

/** How applications are compiled, and which of the consumers can be. */
const settings: [name: string, options: Record<string, unknown>, files: string[]][] = [
  [
    'NodeNext',
    { module: 'nodenext', moduleResolution: 'nodenext', types: ['node'] },
    ['an-es-module.mts', 'a-commonjs-module.cts', 'a-library.mts', 'the-contract.ts', 'wrong-uses.ts'],
  ],
  [
    'a bundler',
    { module: 'esnext', moduleResolution: 'bundler', types: ['node'] },
    ['an-es-module.mts', 'a-library.mts', 'the-contract.ts', 'wrong-uses.ts'],
  ],
  [
    'a bundler that keeps the form of each module',
    { module: 'preserve', types: ['node'] },
    ['an-es-module.mts', 'a-commonjs-module.cts', 'the-contract.ts', 'wrong-uses.ts'],
  ],
  [
    'the declarations of Node left out',
    { module: 'nodenext', moduleResolution: 'nodenext', types: [] },
    ['an-es-module.mts', 'a-commonjs-module.cts'],
  ],
];

/** Compiles files in a folder where the package is installed; returns what the compiler has to say. */
async function compile(
  options: Record<string, unknown>,
  files: Record<string, string>,
  compiler = compilers['7'],
): Promise<string> {
  const folder = await installed();
  cpSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), { recursive: true });
  cpSync(join(root, 'node_modules/undici-types'), join(folder, 'node_modules/undici-types'), { recursive: true });
  place(folder, 'package.json', JSON.stringify({ name: 'an-application', type: 'module' }));
  for (const [name, source] of Object.entries(files)) cpSync(source, join(folder, name));
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2022', 'esnext.disposable'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    declaration: true,
    // the package's own declarations are looked at as well
    skipLibCheck: false,
    ...options,
  };
  place(folder, 'tsconfig.json', JSON.stringify({ compilerOptions, files: Object.keys(files) }));
  const { stdout, stderr } = await runNode([compiler, '-p', folder, '--pretty', 'false'], { cwd: folder });
  return stdout + stderr;
}

const fixture = (name: string) =>
  join(import.meta.dirname, /^an?-/.test(name) && /\.[mc]ts$/.test(name) ? 'consumers' : '.', name);

describe('an application compiles against the installed package', () => {
  it.each(settings)('with %s', async (_name, options, files) => {
    const sources = Object.fromEntries(files.map((name) => [name, fixture(name)]));
    expect(await compile(options, sources)).toBe('');
  });

  describe.each(Object.entries(compilers))(
    'by TypeScript %s, without the declarations of Node',
    (_version, compiler) => {
      // the least that there is of everything, and the most that there is to contradict
      it.each(['es2018', 'esnext'])('and with the library of %s', async (lib) => {
        const files = ['an-es-module.mts', 'a-commonjs-module.cts', 'a-library.mts'].map((name) => [
          name,
          fixture(name),
        ]);
        const options = { module: 'nodenext', moduleResolution: 'nodenext', types: [], lib: [lib] };
        expect(await compile(options, Object.fromEntries(files), compiler)).toBe('');
      });
    },
  );

  it('by TypeScript 5 with the resolution that CommonJS has by default there (node10)', async () => {
    const options = { module: 'commonjs', moduleResolution: 'node10', types: [] };
    expect(await compile(options, { 'a-library.ts': fixture('a-library.mts') }, compilers['5.4'])).toBe('');
  });

  it('and the compiler does look: a wrong use that is not marked as such is an error', async () => {
    const folder = await installed();
    const wrong = place(
      folder,
      'wrong.ts',
      "import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';\nnew SDS_DesktopPersistenceProvider(1, 2);\n",
    );
    const [, options] = settings[0] ?? [];
    expect(await compile(options ?? {}, { 'wrong.ts': wrong })).toMatch(/^wrong\.ts\(2,36\): error TS2345/);
  });
});
