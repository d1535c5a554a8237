/** All simulated editors: five to a room, on both servers, pressing the same keys at the same times. */
import { type CrowdOrder, type Side, sides } from '../protocol/control.ts';
import { type Comparison, EditedRoom } from './edited-room.ts';
import { Script } from './script.ts';
import { Words } from './words.ts';

const ROOM_SIZE = 5;
const CONNECTIONS_A_TICK = 20;

interface Place {
  rooms: Record<Side, EditedRoom>;
  scripts: Script[];
}

export class Crowd {
  readonly #places: Place[] = [];
  #order: CrowdOrder | undefined;
  #turn = 0;
  #due = 0;
  keys = 0;

  /** @param order - how many, how fast, and where the servers are */
  follow(order: CrowdOrder): void {
    if (this.#order !== undefined && this.#order.room !== order.room) throw new Error('the crowd stays in its room');
    this.#order = order;
    const wanted = Math.ceil(order.editors / ROOM_SIZE);
    while (this.#places.length < wanted) this.#places.push(newPlace(this.#places.length, order.room));
    for (const [index, { rooms }] of this.#places.entries()) {
      const size = Math.max(0, Math.min(ROOM_SIZE, order.editors - index * ROOM_SIZE));
      for (const side of sides) rooms[side].resize(size, order.addresses[side]);
    }
    for (const { rooms } of this.#places.splice(wanted)) for (const side of sides) rooms[side].close();
  }

  /** Does what is due after so many milliseconds. */
  tick(ms: number): void {
    const order = this.#order;
    if (order === undefined || order.editors === 0) return;
    for (const side of sides) {
      let left = CONNECTIONS_A_TICK;
      for (const { rooms } of this.#places) left -= rooms[side].connect(left);
    }
    const perSecond = order.editors * order.pace;
    // after a pause nobody types what was missed
    this.#due = Math.min(this.#due + (perSecond * ms) / 1000, Math.max(1, perSecond / 5));
    for (; this.#due >= 1; this.#due--) {
      this.#turn = (this.#turn + 1) % order.editors;
      const place = this.#places[Math.floor(this.#turn / ROOM_SIZE)];
      const index = this.#turn % ROOM_SIZE;
      const script = place?.scripts[index];
      if (place === undefined || script === undefined) continue;
      // both begin with the same key; later, one that is away does not hold up the other
      const missing = sides.some((side) => side in order.addresses && !place.rooms[side].ready(index));
      if (!script.begun && missing) continue;
      const key = script.next();
      for (const side of sides) if (place.rooms[side].press(index, key)) this.keys++;
    }
  }

  connected(side: Side): number {
    return this.#places.reduce((sum, { rooms }) => sum + rooms[side].connected, 0);
  }

  /** What was found on a server that has come back, once all rooms have looked. */
  takeComparison(side: Side): Comparison | undefined {
    const rooms = this.#places.map((place) => place.rooms[side]);
    if (rooms.some(({ interrupted }) => interrupted)) return undefined;
    const found = rooms.flatMap(({ comparison }) => comparison ?? []);
    if (found.length === 0) return undefined;
    for (const room of rooms) room.comparison = undefined;
    return found.reduce((sum, one) => ({
      editors: sum.editors + one.editors,
      acknowledged: sum.acknowledged + one.acknowledged,
      missing: sum.missing + one.missing,
    }));
  }
}

/** The first place is the document on the page. */
function newPlace(index: number, room: string): Place {
  const name = index === 0 ? room : `${room.slice(0, 48)}-${String(index).padStart(3, '0')}`;
  const open = () => new EditedRoom(name, index === 0);
  const scripts = Array.from({ length: ROOM_SIZE }, (_, i) => new Script(new Words(index * ROOM_SIZE + i), index > 0));
  return { rooms: { worker: open(), synchronous: open() }, scripts };
}
