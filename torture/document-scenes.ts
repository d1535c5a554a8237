/** Where documents are kept that are to get into trouble: on a disk that can be full, behind a line that can be cut. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../tests/support/engine.ts';
import { type Rows, rowsOf } from '../tests/support/rows.ts';
import { TcpProxy } from '../tests/support/tcp-proxy.ts';
import type { Report } from './rig.ts';

export interface Scene {
  /** As programs open it. */
  place: string;
  /** As a figure names it; `undefined` if nothing can be done to it. */
  trouble: string | undefined;
  begin(): void;
  /** Does nothing if there is none. */
  end(): void;
  rows(): Promise<Rows>;
  leave(): Promise<void>;
}

const DISK = 'size=16m';

export function quietScene(engine: Engine, place: string): Scene {
  return {
    place,
    trouble: undefined,
    begin: () => undefined,
    end: () => undefined,
    rows: () => engine.rowsOf(place),
    leave: async () => undefined,
  };
}

/** All connections are cut, and others refused. */
export async function cutScene(engine: Engine, place: string): Promise<Scene> {
  const url = new URL(place);
  const proxy = await TcpProxy.listen(Number(url.port), url.hostname);
  url.host = `127.0.0.1:${proxy.port}`;
  return {
    place: url.href,
    trouble: 'times the server was out of reach',
    begin: () => {
      proxy.refuse();
      proxy.cutNow();
    },
    end: () => proxy.accept(),
    rows: () => engine.rowsOf(place),
    leave: () => proxy.close(),
  };
}

/** @returns nothing where no disk may be mounted */
export function smallDiskScene(folder: string, report: Report): Scene | undefined {
  const disk = join(folder, 'disk');
  mkdirSync(disk, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', DISK, 'none', disk], { stdio: 'pipe' });
  } catch (error) {
    report.skip(`mounting a small file system is not permitted here: ${String(error).split('\n')[0]}`);
    return undefined;
  }
  const place = join(disk, 'documents.db');
  const ballast = join(disk, 'ballast');
  return {
    place,
    trouble: 'times the disk was full',
    begin: () => fill(ballast),
    end: () => rmSync(ballast, { force: true }),
    rows: async () => rowsOf(place),
    leave: async () => void execFileSync('umount', ['-l', disk]),
  };
}

/** Takes all the room of the disk. */
export function fill(path: string): void {
  for (let chunk = 1 << 20; chunk >= 512; chunk /= 2) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(chunk), { flag: 'a' });
    } catch {
      // it is full at this size
    }
  }
}
