/** The two halves of a verification, each for a thread of its own: SQLite's check of the structure, and a look at every row. */
import { statSync } from 'node:fs';
import type { LookWay, PartialCheck } from '../../../protocol/operation-messages.ts';
import { EngineError } from '../../engine.ts';
import { toEngineError } from '../../sqlite/errors.ts';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { checkSchema, hasAllTables } from '../../sqlite/schema.ts';
import { ChangedMeanwhile, OperationError, Stopped } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { currentThread } from '../step-back.ts';
import { databaseFile } from './database-file.ts';
import { Findings } from './findings.ts';
import { type Look, withLook } from './open-to-read.ts';
import { numberOf } from './page-counts.ts';
import { textOf } from './text.ts';
import { checkValues } from './verify-values.ts';

/** SQLite stops after so many lines of its own. */
const MOST_LINES = 100;

/** Runs a check; damage that stops it is a finding. */
function finding(findings: Findings, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof Stopped || error instanceof ChangedMeanwhile) throw error;
    const { code, reported } = toEngineError(error);
    if (code !== 'database-corrupt') throw error;
    findings.add('unreadable', '', () => `SQLite can not read on: ${reported.message}`);
  }
}

export function checkStructure({ path }: { path: string }, progress: Progress): PartialCheck {
  try {
    return structureOf(path, progress);
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== 'database-corrupt') throw error;
    const findings = new Findings();
    findings.add('unreadable', '', () => `SQLite can not read it: ${error.reported?.message ?? error.message}`);
    return { path: error.path, findings: findings.all, checked: { Bytes: statSync(error.path).size } };
  }
}

function structureOf(path: string, progress: Progress): PartialCheck {
  return withLook({ path, progress }, (look) => {
    const findings = new Findings();
    const Bytes = statSync(look.path).size;
    finding(findings, () => {
      if (Bytes === 0) return findings.add('empty-file', '', () => 'the file is empty');
      checkTables(look, findings);
      checkFormat(look, findings);
      progress.native('structure', numberOf(look.database, 'page_count') * numberOf(look.database, 'page_size'), {
        thread: currentThread(),
      });
      for (const row of look.database.prepare(`PRAGMA integrity_check(${MOST_LINES})`).all()) {
        const line = String(Object.values(row)[0]);
        if (line !== 'ok') findings.add('structure', line, () => `SQLite's check says: ${line.replaceAll('\n', ' ')}`);
      }
    });
    progress.lastChance();
    return { path: look.path, findings: findings.all, checked: { Bytes } };
  });
}

/** A file of a later format (https://sqlite.org/fileformat2.html, bytes 18 and 19) can be read, and every write fails. */
function checkFormat({ path }: Look, findings: Findings): void {
  const version = formatOf(path);
  if (version <= 2) return;
  findings.add('structure', 'format', () => `its first page says that no SQLite of today may write to it (${version})`);
}

function formatOf(path: string): number {
  const file = databaseFile(path);
  const header = new Uint8Array(20);
  try {
    file?.read(header, 20, 0);
    return header[18] ?? 0;
  } finally {
    file?.close();
  }
}

function checkTables({ database }: Look, findings: Findings): void {
  try {
    checkSchema(database);
    if (hasAllTables(database)) return;
    findings.add('tables-missing', '', () => 'not all of the tables snapshots, patches and blobs are there');
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'schema-mismatch') throw error;
    findings.add('schema', '', () => error.reported.message);
  }
}

export function checkRows({ path, way }: { path: string; way: LookWay }, progress: Progress): PartialCheck {
  return withLook({ path, progress, way }, (look) => {
    const findings = new Findings();
    const checked = { Patches: 0, Snapshots: 0, Values: 0, ValuesWithHash: 0 };
    finding(findings, () => {
      if (!isStoreFile(look)) return;
      checked.Snapshots = Number(firstRow(look.database.prepare('SELECT count(*) AS n FROM snapshots'))?.n);
      finding(findings, () => checkTypes(look, findings, progress));
      finding(findings, () => {
        checked.Patches = checkNumbers(look, findings, progress);
      });
      finding(findings, () => Object.assign(checked, checkValues(look, findings, progress)));
    });
    progress.lastChance();
    return { path: look.path, findings: findings.all, checked };
  });
}

function isStoreFile({ database }: Look): boolean {
  try {
    checkSchema(database);
    return hasAllTables(database);
  } catch (error) {
    if (error instanceof EngineError && error.code === 'schema-mismatch') return false; // the other thread says so
    throw error;
  }
}

const SAFE = 'BETWEEN -9007199254740991 AND 9007199254740991';

/** Rows that no provider writes. Values are looked at one by one besides. */
function checkTypes(look: Look, findings: Findings, progress: Progress): void {
  for (const table of ['snapshots', 'patches'] as const) {
    const odd =
      `SELECT typeof(store_id) AS id, typeof(clock) AS clock, typeof(data) AS data, CAST(store_id AS BLOB) AS name ` +
      `FROM ${table} NOT INDEXED WHERE rowid BETWEEN ? AND ? AND ` +
      `(typeof(store_id) <> 'text' OR typeof(data) <> 'blob' OR typeof(clock) <> 'integer' OR clock NOT ${SAFE})`;
    eachRange(look, table, progress, (first, last) => {
      for (const { id, clock, data, name } of look.database.prepare(odd).all(first, last)) {
        const isTyped = id === 'text' && data === 'blob' && clock === 'integer';
        const where = `table ${table}, store ${JSON.stringify(textOf(look, name))}`;
        if (isTyped) findings.add('clock-range', table, () => `${where}: a number beyond ±(2^53 - 1)`);
        else findings.add('wrong-type', table, () => `${where}: id is ${id}, number is ${clock}, data is ${data}`);
      }
    });
  }
}

/** Goes through a table in pieces, between which it may be stopped. */
function eachRange(
  look: Look,
  table: string,
  progress: Progress,
  look_at: (first: bigint, last: bigint) => void,
): void {
  const RANGE = 20_000n;
  const bounds = look.database.prepare(
    `SELECT CAST(min(rowid) AS TEXT) AS a, CAST(max(rowid) AS TEXT) AS b FROM ${table}`,
  );
  const next = look.database.prepare(`SELECT CAST(min(rowid) AS TEXT) AS a FROM ${table} WHERE rowid > ?`);
  const { a, b } = firstRow(bounds) ?? {};
  if (typeof a !== 'string' || typeof b !== 'string') return;
  const last = BigInt(b);
  // what was pruned before the first row is no part of the way
  const before = BigInt(a) - 1n;
  for (let first = BigInt(a); first <= last; ) {
    const end = first + RANGE - 1n < last ? first + RANGE - 1n : last;
    look_at(first, end);
    progress.step('rows', Number(end - before), Number(last - before), 'rows');
    const following = firstRow(next, end)?.a;
    // in a damaged table what follows may lie before
    if (typeof following !== 'string' || BigInt(following) <= end) return;
    first = BigInt(following);
  }
}

/** Each store's patch numbers: what is missing at their start and in between. Returns how many patches there are. */
function checkNumbers(look: Look, findings: Findings, progress: Progress): number {
  const { database } = look;
  // through the index alone
  const piece = database.prepare(
    'SELECT CAST(store_id AS BLOB) AS id, CAST(clock AS REAL) AS clock FROM patches ' +
      'WHERE (store_id, clock) > (CAST(? AS TEXT), ?) ORDER BY store_id, clock LIMIT 10000',
  );
  const snapshot = database.prepare(
    'SELECT CAST(clock AS REAL) AS clock FROM snapshots WHERE store_id = CAST(? AS TEXT)',
  );
  const total = Number(firstRow(database.prepare('SELECT count(*) AS n FROM patches'))?.n);
  let count = 0;
  let store: Uint8Array | undefined;
  let name = '';
  let saved: number | undefined;
  let previous = 0;
  for (let at: [Uint8Array, number] = [new Uint8Array(0), Number.MIN_SAFE_INTEGER]; count < total; ) {
    const rows = piece.all(...at);
    for (const { id, clock } of rows) {
      if (!(id instanceof Uint8Array)) continue;
      const number = Number(clock);
      if (store === undefined || Buffer.compare(store, id) !== 0) {
        store = id;
        name = JSON.stringify(textOf(look, id));
        const row = firstRow(snapshot, id);
        saved = row === undefined ? undefined : Number(row.clock);
        // numbers begin at 1, or at 0; what a snapshot holds is pruned
        if (saved === undefined && number > 1) {
          findings.add(
            'patches-without-start',
            '',
            () => `store ${name} has no snapshot, and its first patch has the number ${number}`,
          );
        } else if (saved !== undefined && number > saved + 1) {
          const clocks = `its snapshot stands at ${saved}, its first patch has the number ${number}`;
          findings.add('patch-gap', 'start', () => `store ${name}: ${clocks}`);
        }
      } else if (number > previous + 1 && (saved === undefined || number > saved + 1)) {
        const after = previous;
        findings.add('patch-gap', 'between', () => `store ${name}: after patch ${after} comes patch ${number}`);
      }
      previous = number;
    }
    count += rows.length;
    progress.step('rows', count, total, 'rows');
    const last = rows.at(-1);
    if (last === undefined || !(last.id instanceof Uint8Array)) break;
    at = [last.id, Number(last.clock)];
  }
  return total;
}
