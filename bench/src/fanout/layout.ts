// Who subscribes to what in each of the works, and what is sent where. Pure.

export type Layout = {
  readonly name: string;
  readonly sockets: number;
  readonly channels: readonly string[];
  readonly channelsOf: (socket: number) => readonly string[];
};

export type Work = {
  /** Ending of the figures' names. */
  readonly name: string;
  /** Messages per second over all channels, in turn. */
  readonly rate: number;
  readonly seconds: number;
  readonly payloadBytes: number;
  /** Share of the sockets that do not read at all while this work runs, 0 to 1. */
  readonly deaf: number;
};

export type Plan = {
  readonly layout: Layout;
  readonly works: readonly Work[];
  /** Who runs it beside the product. */
  readonly rivals: readonly string[];
};

const ALL = ["centrifugo", "centrifuge+delay", "socket.io", "bun"];
const STRONGEST = ["centrifugo"];

const PAYLOAD_BYTES = 128;
/** Not told: programs are slower in their first second. */
export const WARM_UP = "WarmUp";

export function oneChannel(sockets: number): Layout {
  const channels = ["bench"];
  return { name: "one channel", sockets, channels, channelsOf: () => channels };
}

/**
 * Channels of `members` each; a socket takes `perSocket` of them, a prime stride apart, so that few sockets have the same list and
 * nothing is won by joining equal lists.
 */
export function manyChannels(count: number, members: number, perSocket: number): Layout {
  const channels = Array.from({ length: count }, (_, index) => `room-${index}`);
  const sockets = (count * members) / perSocket;
  const channelsOf = (socket: number): readonly string[] =>
    Array.from({ length: perSocket }, (_, at) => channels[(socket * perSocket + at * strideFor(count)) % count] ?? "");
  return { name: "many channels", sockets, channels, channelsOf };
}

/** Each client watches `perSocket` of `count` symbols; neighbours share most of theirs, as traders do. */
export function overlappingLists(count: number, sockets: number, perSocket: number): Layout {
  const channels = Array.from({ length: count }, (_, index) => `symbol-${index}`);
  const channelsOf = (socket: number): readonly string[] =>
    Array.from({ length: perSocket }, (_, at) => channels[(socket * 3 + at) % count] ?? "");
  return { name: "overlapping lists", sockets, channels, channelsOf };
}

/** A stride that shares no factor with the count, so that `perSocket` steps of it never meet. */
function strideFor(count: number): number {
  return [37, 41, 43].find((prime) => count % prime !== 0) ?? 1;
}

/** Subscribers of each channel. */
export function membersOf(layout: Layout): ReadonlyMap<string, number> {
  const members = new Map<string, number>();
  for (let socket = 0; socket < layout.sockets; socket += 1)
    for (const channel of layout.channelsOf(socket)) members.set(channel, (members.get(channel) ?? 0) + 1);
  return members;
}

const work = (name: string, rate: number, seconds: number, more: Partial<Work> = {}): Work => ({
  name,
  rate,
  seconds,
  payloadBytes: PAYLOAD_BYTES,
  deaf: 0,
  ...more,
});

/** Works (a) to (d). */
export const FULL: readonly Plan[] = [
  {
    layout: oneChannel(1_000),
    works: [work(WARM_UP, 100, 1), work("50", 50, 3), work("200", 200, 2), work("1000", 1_000, 1)],
    rivals: ALL,
  },
  { layout: manyChannels(2_000, 5, 5), works: [work("Rooms", 2_000, 2)], rivals: STRONGEST },
  { layout: overlappingLists(200, 500, 20), works: [work("Lists", 2_000, 2)], rivals: STRONGEST },
  {
    layout: oneChannel(500),
    // Long messages: short ones would wait in the kernel's buffers during the whole round, and no server would feel them.
    works: [
      work("AllRead", 50, 2, { payloadBytes: 8_192 }),
      work("SomeDeaf", 50, 10, { payloadBytes: 8_192, deaf: 0.05 }),
    ],
    rivals: STRONGEST,
  },
];

export const QUICK: readonly Plan[] = [
  { layout: oneChannel(1_000), works: [work(WARM_UP, 100, 1), work("50", 50, 2), work("200", 200, 2)], rivals: ALL },
];
