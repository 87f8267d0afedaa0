// Who is in which room. Pure.

/** 0 = all rooms alike. */
export const MIXED_SKEW = 0.7;
const SMALLEST = 2;
const SECOND_ROOM_EVERY = 10;

/** Sizes that add up to `clients`, skewed as real rooms are: a few large ones, many small ones, none below two. */
export function roomSizes(clients: number, rooms: number, skew = MIXED_SKEW): readonly number[] {
  const count = Math.max(1, Math.min(rooms, Math.floor(clients / SMALLEST)));
  const weights = Array.from({ length: count }, (_, index) => 1 / (index + 1) ** skew);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const spare = clients - count * SMALLEST;
  const sizes = weights.map((weight) => SMALLEST + Math.floor((spare * weight) / total));
  let left = clients - sizes.reduce((sum, size) => sum + size, 0);
  for (let index = 0; left > 0; index = (index + 1) % count, left -= 1) sizes[index] = (sizes[index] ?? 0) + 1;
  return sizes;
}

export type Seat = {
  readonly client: string;
  /** Where it publishes and reads. */
  readonly home: string;
  /** Where it only reads; every tenth client has one, so that sessions with two streams are moved too. */
  readonly guestOf: string | undefined;
};

/** @param prefix keeps the rooms and clients of parallel load processes apart. */
export function seatsFor(clients: number, rooms: number, prefix: string, skew = MIXED_SKEW): readonly Seat[] {
  const sizes = roomSizes(clients, rooms, skew);
  const seats: Seat[] = [];
  sizes.forEach((size, room) => {
    for (let index = 0; index < size; index += 1) {
      const number = seats.length;
      const isGuest = number % SECOND_ROOM_EVERY === 0 && sizes.length > 1;
      seats.push({
        client: `${prefix}c${number}`,
        home: `${prefix}room-${room}`,
        guestOf: isGuest ? `${prefix}room-${(room + 1) % sizes.length}` : undefined,
      });
    }
  });
  return seats;
}
