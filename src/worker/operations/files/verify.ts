/** A verification: SQLite's check of the structure, then a look at every row. */
import type { SDS_VerifyResult } from '../../../protocol/operations.ts';
import { performance } from '../../../protocol/surroundings.ts';
import { toEngineError } from '../../sqlite/errors.ts';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { BEFORE_ALL, hasAllTables, hasRecords, isUsual, isUsualRecord, mismatchOf } from '../../sqlite/schema.ts';
import { textOf } from '../../sqlite/text.ts';
import { OperationError, Stopped } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { Findings } from './findings.ts';
import { locate, type Reading, withReading } from './open-to-read.ts';
import { faultsIn } from './structure.ts';
import { checkValues, countOf } from './verify-values.ts';

/** SQLite stops after so many lines of its own. */
const MOST_LINES = 100;
const ROWS_A_PIECE = 20_000;

type Checked = SDS_VerifyResult['Checked'];

export async function verify({ path }: { path: string }, progress: Progress): Promise<SDS_VerifyResult> {
  const begun = performance.now();
  let findings = new Findings();
  let checked = nothing(path);
  try {
    await withReading(path, (reading) => {
      [findings, checked] = [new Findings(), nothing(path)]; // anew, if it changes meanwhile
      checkAll(reading, findings, checked, progress);
    });
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== 'database-corrupt') throw error;
    findings.add('unreadable', '', () => `SQLite can not read it: ${error.reported?.message ?? error.message}`);
  }
  const { all } = findings;
  const DurationMs = performance.now() - begun;
  return { Path: path, Sound: all.length === 0, Findings: all, Checked: checked, DurationMs };
}

function nothing(path: string): Checked {
  return { Bytes: locate(path).size, Patches: 0, Snapshots: 0, Records: 0, Values: 0, ValuesWithHash: 0 };
}

function checkAll(reading: Reading, findings: Findings, checked: Checked, progress: Progress): void {
  const { database } = reading;
  if (checked.Bytes === 0) {
    findings.add('empty-file', '', () => 'the file is empty');
    return;
  }
  let isStoreFile = false;
  finding(findings, () => {
    isStoreFile = checkTables(reading, findings);
    checkStructure(reading, findings, checked.Bytes, progress);
  });
  if (!isStoreFile) return;
  finding(findings, () => {
    checked.Snapshots = countOf(database, 'snapshots');
  });
  finding(findings, () => {
    checkTypes(reading, 'snapshots', isUsual, findings, progress);
    checkTypes(reading, 'patches', isUsual, findings, progress);
  });
  finding(findings, () => {
    if (!hasRecords(database)) return;
    checkTypes(reading, 'sds_records', isUsualRecord, findings, progress);
    checked.Records = countOf(database, 'sds_records');
  });
  finding(findings, () => {
    checked.Patches = checkNumbers(reading, findings, progress);
  });
  finding(findings, () => Object.assign(checked, checkValues(reading, findings, progress)));
}

/** Runs a check; damage that stops it is a finding. */
function finding(findings: Findings, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof Stopped) throw error;
    const { code, reported } = toEngineError(error);
    if (code !== 'database-corrupt') throw error;
    findings.add('unreadable', '', () => `SQLite can not read on: ${reported.message}`);
  }
}

function checkStructure({ database }: Reading, findings: Findings, bytes: number, progress: Progress): void {
  progress.step('structure', 0, bytes, 'bytes');
  for (const line of faultsIn(database, 'integrity_check', MOST_LINES)) {
    findings.add('structure', line, () => `SQLite's check says: ${line.replaceAll('\n', ' ')}`);
  }
  progress.step('structure', bytes, bytes, 'bytes');
}

/** Returns whether the tables are there whose rows can be looked at. */
function checkTables({ database }: Reading, findings: Findings): boolean {
  const mismatch = mismatchOf(database);
  if (mismatch !== undefined) findings.add('schema', '', () => mismatch);
  else if (hasAllTables(database)) return true;
  else findings.add('tables-missing', '', () => 'not all of the tables snapshots, patches and blobs are there');
  return false;
}

/** Rows that no provider writes, in pieces, between which it may be stopped. Values are looked at one by one besides. */
function checkTypes(reading: Reading, table: string, isUsualRow: string, findings: Findings, progress: Progress): void {
  const { database } = reading;
  const second = table === 'sds_records' ? 'key' : 'clock';
  const next = database.prepare(
    'SELECT CAST(max(row) AS TEXT) AS last, count(*) AS rows FROM ' +
      `(SELECT rowid AS row FROM ${table} NOT INDEXED WHERE rowid > CAST(? AS NUMERIC) ORDER BY rowid LIMIT ${ROWS_A_PIECE})`,
  );
  const odd = database.prepare(
    `SELECT typeof(store_id) AS id, typeof(${second}) AS second, typeof(data) AS data, CAST(store_id AS BLOB) AS name FROM ${table} ` +
      `NOT INDEXED WHERE rowid > CAST(? AS NUMERIC) AND rowid <= CAST(? AS INTEGER) AND NOT (${isUsualRow})`,
  );
  const total = countOf(database, table);
  for (let [after, count] = [BEFORE_ALL, 0]; ; ) {
    const { last, rows } = firstRow(next, after) ?? {};
    // in a damaged table what follows may lie before
    if (typeof last !== 'string' || BigInt(last) <= BigInt(after)) return;
    for (const row of odd.all(after, last)) {
      const where = `table ${table}, store ${JSON.stringify(textOf(reading, row.name))}`;
      const what = `id is ${row.id}, ${second === 'key' ? 'key' : 'number'} is ${row.second}, data is ${row.data}`;
      const isTyped = row.id === 'text' && row.data === 'blob' && row.second === 'integer' && second === 'clock';
      if (isTyped) findings.add('clock-range', table, () => `${where}: a number beyond ±(2^53 - 1)`);
      else findings.add('wrong-type', table, () => `${where}: ${what}`);
    }
    count += Number(rows);
    progress.step('rows', count, total, 'rows');
    after = last;
  }
}

/** Each store's patch numbers: what is missing at their start and in between. Returns how many patches there are. */
function checkNumbers(reading: Reading, findings: Findings, progress: Progress): number {
  const { database } = reading;
  // through the index alone
  const piece = database.prepare(
    'SELECT CAST(store_id AS BLOB) AS id, CAST(clock AS REAL) AS clock FROM patches ' +
      'WHERE (store_id, clock) > (CAST(? AS TEXT), ?) ORDER BY store_id, clock LIMIT 10000',
  );
  const snapshot = database.prepare(
    'SELECT CAST(clock AS REAL) AS clock FROM snapshots WHERE store_id = CAST(? AS TEXT)',
  );
  const total = countOf(database, 'patches');
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
        name = JSON.stringify(textOf(reading, id));
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
