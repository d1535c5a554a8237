/** `node demo/operations.ts`: runs three commands of the command line, and writes them with their output into the README. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';

export const START = '<!-- operations: generated -->';
export const END = '<!-- end -->';
const root = join(import.meta.dirname, '..');
const commands = ['info notes.db', 'backup notes.db backup.db', 'verify backup.db'];

/** What a person sees who types the commands, in a folder with a file that a program has open. */
export async function shown(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sds-operations-'));
  try {
    const provider = new SDS_DesktopPersistenceProvider(join(folder, 'notes.db'), 'my-store');
    void provider.saveSnapshot(new Uint8Array(2_000_000).fill(1), 4000);
    for (let clock = 4001; clock <= 9000; clock++) void provider.appendPatch(new Uint8Array(200).fill(clock), clock);
    await provider.flush();
    const lines = commands.flatMap((command) => {
      const args = [join(root, 'dist/bin.js'), ...command.split(' ')];
      const output = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
      return [`$ npx sds-persistence-worker ${command}`, output];
    });
    await provider.close();
    return `\`\`\`console\n${lines.join('\n').trimEnd()}\n\`\`\``;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const path = join(root, 'README.md');
  const text = readFileSync(path, 'utf8');
  const start = text.indexOf(START);
  const end = text.indexOf(END, start);
  if (start < 0 || end < 0) throw new Error(`${path} has lost its markers ${START} … ${END}`);
  writeFileSync(path, `${text.slice(0, start + START.length)}\n\n${await shown()}\n\n${text.slice(end)}`);
}
