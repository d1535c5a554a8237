/** A program that uses the package as an application would, as an ES module and as CommonJS. */

export type ModuleFormat = 'esm' | 'cjs';
export const extensionOf: Readonly<Record<ModuleFormat, string>> = { esm: 'mjs', cjs: 'cjs' };

/** Imports names from a package, in either form. */
export function importing(format: ModuleFormat, names: string, packageName: string): string {
  return format === 'esm'
    ? `import { ${names} } from '${packageName}';`
    : `const { ${names} } = require('${packageName}');`;
}

/** Its only argument is the database file; it prints a `Journey` and ends by itself. */
export function application(format: ModuleFormat, packageName = 'sds-persistence-worker'): string {
  return `${importing(format, 'SDS_DesktopPersistenceProvider, transfer', packageName)}
const dbPath = process.argv.at(-1);
const bytesOf = (text) => new TextEncoder().encode(text);
const textOf = (bytes) => new TextDecoder().decode(bytes);

async function main() {
  const provider = new SDS_DesktopPersistenceProvider(dbPath, 'notes');
  for (let number = 1; number <= 300; number++) void provider.appendPatch(bytesOf('edit ' + number), number);
  await provider.flush();
  await provider.saveSnapshot(bytesOf('up to edit 100'), 100);
  await provider.prunePatches(101);
  const value = new Uint8Array(300_000).fill(7);
  await provider.saveValue('seven', transfer(value, [value.buffer]));
  await provider.close();

  const again = new SDS_DesktopPersistenceProvider(dbPath, 'notes', { Durability: 'full' });
  const patches = await again.loadPatchesSince(0);
  const journey = {
    snapshot: textOf(await again.loadSnapshot()),
    patches: patches.length,
    first: textOf(patches[0]),
    last: textOf(patches.at(-1)),
    valueLeftBehind: value.byteLength,
    valueLoaded: (await again.loadValue('seven')).every((byte) => byte === 7),
    refusedWith: await again.appendPatch('text', 301).catch((error) => error.name + ' ' + error.code),
  };
  await again.close();
  console.log(JSON.stringify(journey));
}
void main();
`;
}

/** What the application prints if all is well. */
export const wholeJourney = {
  snapshot: 'up to edit 100',
  patches: 200,
  first: 'edit 101',
  last: 'edit 300',
  valueLeftBehind: 0,
  valueLoaded: true,
  refusedWith: 'SDS_Error invalid-argument',
};
