/** A short command, as those of a command-line tool: opens a store, reads it, appends one patch, and closes it; prints the megabytes that it took. */
const [side, path = ''] = process.argv.slice(2);
const provider =
  side === 'synchronous'
    ? new (await import('../../tests/support/reference-provider.ts')).ReferenceProvider(path, 'store')
    : new (await import('sds-persistence-worker')).SDS_DesktopPersistenceProvider(path, 'store');
await provider.loadSnapshot();
const { length } = await provider.loadPatchesSince(0);
await provider.appendPatch(new Uint8Array(200), length + 1);
await provider.close();
console.log(Math.round(process.resourceUsage().maxRSS / 1024));

export {};
