/** From SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html) and errors of the network to codes for callers. */
import type { SDS_PersistenceErrorCode } from '../../protocol/errors.ts';
import { EngineError } from '../engine.ts';

export class ServerError extends EngineError {
  /**
   * `reconnect`: the connection is gone, or leads to a server that does not write; what was under way may be
   * carried out or not. `again`: the transaction was rolled back. `no`: it would only fail again.
   */
  readonly retry: 'reconnect' | 'again' | 'no';

  /** @param reportedCode - a SQLSTATE, or the code of Node or OpenSSL */
  constructor(code: SDS_PersistenceErrorCode, retry: ServerError['retry'], message: string, reportedCode?: string) {
    super(code, { message, code: reportedCode });
    this.retry = retry;
  }
}

type Verdict = [SDS_PersistenceErrorCode, ServerError['retry']];

/** By the whole code, else by its class, the first two characters. */
const verdicts: Readonly<Record<string, Verdict>> = {
  '08': ['connection-failed', 'reconnect'],
  '28': ['open-failed', 'no'], // wrong password, no entry in pg_hba.conf
  '3D000': ['open-failed', 'no'], // no such database
  '3F000': ['open-failed', 'no'], // no such schema
  '22P05': ['invalid-argument', 'no'],
  '40': ['database-busy', 'again'], // serialization failure, deadlock
  '40003': ['connection-failed', 'reconnect'], // it is not known whether it was committed
  '42501': ['read-only', 'no'], // no rights
  '42P01': ['schema-mismatch', 'no'],
  '42703': ['schema-mismatch', 'no'],
  '42803': ['schema-mismatch', 'no'], // no primary key
  '42804': ['schema-mismatch', 'no'],
  '42P10': ['schema-mismatch', 'no'], // the same, of one that was there
  '25006': ['read-only', 'reconnect'], // a standby: the primary is somewhere else by now
  '25P04': ['database-busy', 'no'], // the transaction took longer than its time-out, which ends the connection
  '25P03': ['connection-failed', 'reconnect'], // idle for too long within a transaction: this process was paused
  '53100': ['database-full', 'no'],
  '53300': ['connection-failed', 'reconnect'], // too many connections
  '54': ['invalid-argument', 'no'], // larger than the server can store
  '55P03': ['database-busy', 'no'], // a lock was not to be had in time
  '57014': ['database-busy', 'no'], // cancelled, mostly by a time-out
  '57P': ['connection-failed', 'reconnect'], // shut down, crashed, starting
  '58000': ['connection-failed', 'reconnect'], // of a pooler: it has no server
  XX001: ['database-corrupt', 'no'],
  XX002: ['database-corrupt', 'no'],
};

/** What a TLS connection that can't be verified reports, in OpenSSL's and Node's words. */
const tlsTrouble = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|^ERR_(SSL|TLS|OSSL)|^EPROTO$/;

/** Of whoever may not log in; and the same of a pooler, for which that is a violation of the protocol. */
const refusals = /^(28|08P01)/;

/** Whether another password may help. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ServerError && error.code === 'open-failed' && refusals.test(error.reported.code ?? '28');
}

/** What `pg` knows of an error of a server, and Node of one of the network. */
interface Reported {
  code?: string;
  severity?: string;
  routine?: string;
}

/** The routines of a server that find no number left for a transaction: it writes nothing more until it is vacuumed. */
const outOfNumbers = /^GetNew(TransactionId|MultiXactId)$/;

/** Whether a server has said it, or a pooler: codes of Node may have as many letters. */
export function isSqlState(code: string | undefined): code is string {
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);
}

export function toEngineError(thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const error = (thrown instanceof Error ? thrown : new Error(String(thrown))) as Error & Reported;
  const { message: own, code } = error;
  // of a host with several addresses there is one error for each, and a whole without words
  const message = thrown instanceof AggregateError ? thrown.errors.map(({ message }) => message).join(', ') : own;
  if (isSqlState(code)) {
    if (outOfNumbers.test(error.routine ?? '')) return new ServerError('read-only', 'no', message, code);
    // it ends the connection, maybe behind a commit: poolers say so of a server that they have lost, with a code of their own
    const isFatal = error.severity === 'FATAL' || error.severity === 'PANIC';
    const otherwise: Verdict = isFatal ? ['connection-failed', 'reconnect'] : ['io-error', 'no'];
    const verdict = verdicts[code] ?? verdicts[code.slice(0, 3)] ?? verdicts[code.slice(0, 2)] ?? otherwise;
    return new ServerError(verdict[0], verdict[1], message, code);
  }
  if ((code !== undefined && tlsTrouble.test(code)) || /not support SSL/.test(message)) {
    return new ServerError('open-failed', 'no', `TLS: ${message}; see sslmode and sslrootcert`, code);
  }
  if (/SASL|password must be a string/i.test(message)) {
    return new ServerError('open-failed', 'no', `the server asks for a password, and none that fits was given`, code);
  }
  if (thrown instanceof TypeError || thrown instanceof RangeError || thrown instanceof ReferenceError) {
    // a fault of code, of `pg` or of what wraps it: another connection would meet it again
    return new EngineError('io-error', { message: String(thrown) });
  }
  // whatever else happens on a connection ends it
  return new ServerError('connection-failed', 'reconnect', message, code);
}
