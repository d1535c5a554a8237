/** A verification: SQLite's check of the structure, then a look at every row. */
import type { SDS_VerifyResult } from '../../../protocol/operations.ts';
import { performance } from '../../../protocol/surroundings.ts';
import { toEngineError } from '../../sqlite/errors.ts';
import { firstRow } from '../../sqlite/node-sqlite.ts';
import { BEFORE_ALL, hasAllTables, hasRecords, isUsual, isUsualRecord, mismatchOf } from '../../sqlite/schema.ts';
import { textOf } from '../../sqlite/text.ts';
import { OperationError } from '../failure.ts';
import type { Progress } from '../progress.ts';
import { eachStore, THIS_STORE } from './each-store.ts';
import { Findings } from './findings.ts';
import { locate } from './locate.ts';
import { type Reading, withReading } from './open-to-read.ts';
import { cutBy, missingBytes, pragmaOf } from './page-counts.ts';
import { faultsIn } from './structure.ts';
import { checkValues, countOf } from './verify-values.ts';

/** SQLite stops after so many lines of its own. */
const MOST_LINES = 100;
const ROWS_A_PIECE = 20_000;
/** Higher numbers than any program counts to, one by one: those of documents are times. */
const MOST_COUNTED = 2 ** 40;

type Checked = SDS_VerifyResult['Checked'];

/** `second` tells the rows of a store apart. */
const tables = [
  { kind: 'Snapshots', table: 'snapshots', second: 'clock', usual: isUsual },
  { kind: 'Patches', table: 'patches', second: 'clock', usual: isUsual },
  { kind: 'Records', table: 'sds_records', second: 'key', usual: isUsualRecord },
] as const;

export async function verify({ path }: { path: string }, progress: Progress): Promise<SDS_VerifyResult> {
  const begun = performance.now();
  let findings = new Findings();
  let checked = nothing(path);
  try {
    await withReading(path, (reading) => {
      [findings, checked] = [new Findings(), nothing(path)]; // anew, if it changes meanwhile
      const missing = missingBytes(reading.database, path);
      if (missing > 0) findings.add('structure', 'end', () => cutBy(missing));
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
  checked.Bytes = pragmaOf(database, 'page_size') * pragmaOf(database, 'page_count'); // those in a log as well
  let isStoreFile = false;
  finding(findings, () => {
    isStoreFile = checkTables(reading, findings);
    checkStructure(reading, findings, checked.Bytes, progress);
  });
  if (!isStoreFile) return;
  for (const form of tables) {
    finding(findings, () => {
      const { kind, table } = form;
      if (table === 'sds_records' && !hasRecords(database)) return;
      checked[kind] = countOf(database, table); // even if not all of them can be read
      checkTypes(reading, form, checked[kind], findings, progress);
    });
  }
  finding(findings, () => checkNumbers(reading, checked.Patches, findings, progress));
  finding(findings, () => checkValues(reading, checked, findings, progress));
}

/** Runs a check; damage that stops it is a finding. */
function finding(findings: Findings, check: () => void): void {
  try {
    check();
  } catch (error) {
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

/** Rows that no provider writes, in pieces, between which it may be stopped; values are looked at one by one besides. */
function checkTypes(
  reading: Reading,
  { table, second, usual }: (typeof tables)[number],
  total: number,
  findings: Findings,
  progress: Progress,
): void {
  const { database } = reading;
  const next = database.prepare(
    'SELECT CAST(max(row) AS TEXT) AS last, count(*) AS rows FROM ' +
      `(SELECT rowid AS row FROM ${table} NOT INDEXED WHERE rowid > CAST(? AS NUMERIC) ORDER BY rowid LIMIT ${ROWS_A_PIECE})`,
  );
  const odd = database.prepare(
    `SELECT typeof(store_id) AS id, typeof(${second}) AS second, typeof(data) AS data, CAST(store_id AS BLOB) AS name FROM ${table} ` +
      `NOT INDEXED WHERE rowid > CAST(? AS NUMERIC) AND rowid <= CAST(? AS INTEGER) AND NOT (${usual})`,
  );
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

/** Each store's patch numbers: what is missing at their start and in between; in pieces, like the rows. */
function checkNumbers(reading: Reading, total: number, findings: Findings, progress: Progress): void {
  const { database } = reading;
  const snapshot = database.prepare(
    `SELECT CAST(clock AS REAL) AS clock FROM snapshots WHERE store_id = ${THIS_STORE}`,
  );
  // some at a time, through the index alone
  const rows =
    `SELECT clock FROM patches WHERE store_id = ${THIS_STORE} AND clock > ? AND typeof(clock) = 'integer' ` +
    `ORDER BY clock LIMIT ${ROWS_A_PIECE}`;
  const next = database.prepare(`SELECT CAST(max(clock) AS REAL) AS last, count(*) AS rows FROM (${rows})`);
  const gaps = database.prepare(
    'SELECT count(*) AS count, CAST(min(clock) AS REAL) AS number, CAST(min(previous) AS REAL) AS previous ' +
      `FROM (SELECT clock, lag(clock, 1, ?) OVER (ORDER BY clock) AS previous FROM (${rows})) WHERE clock > previous + 1`,
  );
  const ends = 'CAST(min(clock) AS REAL) AS first, CAST(max(clock) AS REAL) AS last';
  for (const [row, store, before] of eachStore(reading, 'patches', ends, total, progress)) {
    if (Number(row.last) > MOST_COUNTED) continue;
    const name = `store ${JSON.stringify(textOf(reading, row.id))}`;
    const first = Number(row.first);
    const saved = firstRow(snapshot, ...store)?.clock as number | undefined;
    checkStart(name, first, saved, findings);
    for (let [after, done] = [Math.max(first, saved ?? first), before]; ; ) {
      const { last, rows } = firstRow(next, ...store, after) ?? {};
      // as many as there are numbers: no gap
      if (Number(last) - after !== rows) {
        const { count, number, previous } = firstRow(gaps, after, ...store, after) ?? {};
        const sentence = () => `${name}: after patch ${previous} comes patch ${number}`;
        if (count !== 0) findings.add('patch-gap', 'between', sentence, Number(count));
      }
      // in a damaged index what follows may lie before
      if (Number(rows) < ROWS_A_PIECE || Number(last) <= after) break;
      after = Number(last);
      done += Number(rows);
      progress.step('rows', done, Math.max(total, done), 'rows');
    }
  }
}

/** Numbers begin at 1, or at 0; what a snapshot holds is pruned; one of number 0 does not say what it holds. */
function checkStart(name: string, first: number, saved: number | undefined, findings: Findings): void {
  if (saved === undefined && first > 1) {
    const sentence = `${name} has no snapshot, and its first patch has the number ${first}`;
    findings.add('patches-without-start', '', () => sentence);
  } else if (saved && first > saved + 1) {
    const clocks = `its snapshot stands at ${saved}, its first patch has the number ${first}`;
    findings.add('patch-gap', 'start', () => `${name}: ${clocks}`);
  }
}
