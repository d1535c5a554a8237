/** What a transaction is to do: the writes of its calls, sorted by what few statements can carry out together. */
import { seenOf, snapshotNumber } from '../../protocol/compaction.ts';
import type { Member, Writes } from '../engine.ts';
import { isLarge } from './chunks.ts';
import { type StoredName, storedName } from './names.ts';
import { PackedPatches } from './packed-patches.ts';
import type { Pruning } from './patches.ts';
import { RecordChanges } from './records.ts';
import type { Compaction, Snapshot } from './snapshots.ts';
import { type Saved, ValueChanges } from './values.ts';

/** Calls in a row of which only the order within each table counts; and the call behind them that touches several tables, or is large. */
export interface Section {
  /** Patches to be inserted, and deletions of those below a number, in turn. */
  readonly patches: (PackedPatches | Pruning)[];
  /** Of each store the last one. */
  readonly snapshots: Map<string, Snapshot>;
  readonly records: RecordChanges;
  /** What ends it: a compaction, the store that is removed, or a large value; nothing ends the last one. */
  end: Compaction | { removed: string } | Saved | undefined;
}

export class Changes {
  readonly sections: Section[] = [];
  #section = this.#begin();
  readonly values = new ValueChanges();
  /** Of values that are saved. Those of stores are there since these were claimed. */
  readonly names: StoredName[] = [];
  readonly members = new Set<Member>();
  /** Stores that get a large snapshot: what it replaces is to be deleted once all this is committed. */
  readonly replaced = new Set<string>();
  /**
   * By which the calls are told apart that were without effect in the last attempt: but for patches, known before its commit is sent. Of
   * one that a lost worker has made it is not known: no compaction counts as carried out.
   */
  collided: number[];
  #hasOthers = false;

  constructor(writes: Writes) {
    let latest: Member | undefined;
    let store = '';
    while (writes.next()) {
      const { member } = writes;
      if (writes.operation !== 'appendPatch') this.#hasOthers = true;
      if (member !== latest) {
        latest = member;
        this.members.add(member);
        store = storedName(member.storeId).stored;
      }
      this.#add(writes, store);
    }
    this.collided = this.sections.flatMap(({ end }) => (end !== undefined && 'at' in end ? [end.at] : []));
  }

  #add(writes: Writes, store: string): void {
    const { patches, snapshots, records } = this.#section;
    switch (writes.operation) {
      case 'appendPatch': {
        let last = patches.at(-1);
        if (!(last instanceof PackedPatches)) {
          last = new PackedPatches();
          patches.push(last);
        }
        last.add(store, writes.clock, writes.data, writes.at, writes.keepsBoth);
        return;
      }
      case 'prunePatches':
        patches.push({ store, below: writes.clock });
        return;
      case 'saveSnapshot':
        snapshots.set(store, this.#snapshot(store, writes.clock, writes.data));
        return;
      case 'compactStore': {
        const { clock, at } = writes;
        const seen = seenOf(writes.key);
        const snapshot = this.#snapshot(store, snapshotNumber(clock, seen), writes.data);
        this.#end({ store, clock, snapshot, seen, at });
        return;
      }
      case 'removeStore':
        this.#end({ removed: store });
        return;
      case 'saveRecord':
        records.save(store, writes.key, viewOf(writes.data));
        return;
      case 'removeRecord':
        records.remove(store, writes.key);
        return;
      case 'removeRecords':
        records.removeAll(store, writes.key);
        return;
      case 'saveValue': {
        const [name, data] = [storedName(writes.key), viewOf(writes.data)];
        this.names.push(name);
        // larger ones than a batch holds come alone: none of the others is of the same value
        if (isLarge(data)) this.#end({ hash: name.stored, times: 1, data });
        else this.values.save(name.stored, data);
        return;
      }
      case 'releaseValue':
        this.values.release(storedName(writes.key).stored);
        return;
    }
  }

  #snapshot(store: string, clock: number, data: Uint8Array): Snapshot {
    if (isLarge(data)) this.replaced.add(store);
    return { clock, data: viewOf(data) };
  }

  #begin(): Section {
    const section: Section = { patches: [], snapshots: new Map(), records: new RecordChanges(), end: undefined };
    this.sections.push(section);
    return section;
  }

  #end(end: Section['end']): void {
    this.#section.end = end;
    this.#section = this.#begin();
  }

  /** Whether all there is to do is to insert patches of one statement. */
  get onlyPatches(): PackedPatches | undefined {
    const [first] = this.#section.patches;
    return !this.#hasOthers && first instanceof PackedPatches ? first : undefined;
  }
}

/** The same bytes; they stay where they are until the transaction ends. */
export function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
