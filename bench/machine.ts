/** What the benchmark ran on. */
import { statfsSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { DatabaseSync } from 'node:sqlite';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  system: string;
  fileSystem: string;
  node: string;
  sqlite: string;
  date: string;
}

/** Numbers of statfs(2); a file system in memory makes every commit look cheap. */
const fileSystems: Record<number, string> = {
  61267: 'ext',
  16914836: 'tmpfs (in memory: nothing here says anything about disks)',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
};

export function describeMachine(folder: string): Machine {
  const database = new DatabaseSync(':memory:');
  const sqlite = String(database.prepare('SELECT sqlite_version() AS version').get()?.version);
  database.close();
  const { type } = statfsSync(folder);
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${platform()} ${release()} ${arch()}`,
    fileSystem: fileSystems[type] ?? `type 0x${type.toString(16)}`,
    node: process.version,
    sqlite,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** All of it in a line, the date last. */
export function machineLine(machine: Machine): string {
  const { cpu, cores, memoryGiB, system, fileSystem, node, sqlite, date } = machine;
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}, ${fileSystem}; Node ${node}, SQLite ${sqlite}; ${date}`;
}

/** The same without what changes from day to day: the date, and the release of the kernel. */
export function lastingLine(line: string): string {
  return line.replace(/; [\d-]+$/, '').replace(/, (linux|darwin|win32) \S+ /, ', $1 ');
}
