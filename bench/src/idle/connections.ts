// Idle connections in rooms of ten, opened step by step from several addresses.
import type { RawSocket } from "../fanout/raw-socket.ts";
import { openSubscriber } from "../fanout/subscriber.ts";
import type { Running } from "../rivals/running.ts";

export const ROOM_MEMBERS = 10;
const OPEN_AT_ONCE = 100;
/** One address has about 28,000 ports, and those of the last round still rest. */
const PER_ADDRESS = 5_000;

/** Adds to `sockets` until there are `count`. */
export async function openUpTo(
  running: Running,
  sockets: RawSocket[],
  count: number,
  subscriptions: number,
  onClosed: () => void,
): Promise<void> {
  while (sockets.length < count) {
    const first = sockets.length;
    const size = Math.min(OPEN_AT_ONCE, count - first);
    const opened = await Promise.all(
      Array.from({ length: size }, (_, at) => {
        const index = first + at;
        const localAddress = `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}`;
        return openSubscriber(running, index, roomsOf(index, subscriptions), { localAddress, onClosed });
      }),
    );
    sockets.push(...opened);
  }
}

/** Rooms of ten: the members of a room differ in each of its members' lists. */
function roomsOf(index: number, subscriptions: number): readonly string[] {
  return Array.from({ length: subscriptions }, (_, at) => {
    const room = Math.floor(index / ROOM_MEMBERS ** (at === 0 ? 1 : 2)) * 10 + (at === 0 ? 0 : index % ROOM_MEMBERS);
    return `room-${at}-${room}`;
  });
}
