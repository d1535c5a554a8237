/**
 * The messages between editors and a server: those of Yjs (`y-protocols`), and one more, by which the
 * server tells each editor how far its key presses have come.
 */
import { createDecoder, type Decoder, readVarUint, readVarUint8Array } from 'lib0/decoding';
import { createEncoder, type Encoder, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding';

export const MESSAGE_SYNC = 0;
export const MESSAGE_AWARENESS = 1;
export const MESSAGE_QUERY_AWARENESS = 3;
/** How many updates of this connection were passed on to the others, and how many of them are durable. */
export const MESSAGE_PROGRESS = 4;

/** Within MESSAGE_SYNC: "this is what I have", "this is what you lack", "this has just happened". */
export const SYNC_STATE = 0;
export const SYNC_MISSING = 1;
export const SYNC_UPDATE = 2;

export function encodeSync(kind: number, bytes: Uint8Array): Uint8Array {
  return encode(MESSAGE_SYNC, (encoder) => {
    writeVarUint(encoder, kind);
    writeVarUint8Array(encoder, bytes);
  });
}

export function encodeAwareness(update: Uint8Array): Uint8Array {
  return encode(MESSAGE_AWARENESS, (encoder) => writeVarUint8Array(encoder, update));
}

export interface Progress {
  passedOn: number;
  durable: number;
}

export function encodeProgress({ passedOn, durable }: Progress): Uint8Array {
  return encode(MESSAGE_PROGRESS, (encoder) => {
    writeVarUint(encoder, passedOn);
    writeVarUint(encoder, durable);
  });
}

/** What follows the message's kind. */
export function readProgress(decoder: Decoder): Progress {
  return { passedOn: readVarUint(decoder), durable: readVarUint(decoder) };
}

/** Whether a message holds updates, which the server counts and answers. */
export function holdsUpdates(message: Uint8Array): boolean {
  return message[0] === MESSAGE_SYNC && (message[1] === SYNC_MISSING || message[1] === SYNC_UPDATE);
}

/** The state that a server tells when a connection begins; undefined for any other message. */
export function stateToldIn(message: Uint8Array): Uint8Array | undefined {
  if (message[0] !== MESSAGE_SYNC || message[1] !== SYNC_STATE) return undefined;
  const decoder = createDecoder(message);
  readVarUint(decoder);
  readVarUint(decoder);
  return readVarUint8Array(decoder);
}

function encode(kind: number, write: (encoder: Encoder) => void): Uint8Array {
  const encoder = createEncoder();
  writeVarUint(encoder, kind);
  write(encoder);
  return toUint8Array(encoder);
}
