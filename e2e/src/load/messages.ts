// What the load process and its owner say to each other over IPC, and the figures a run gives.
import type { Verdict } from "../oracle/evidence.ts";
import type { HistogramData } from "./histogram.ts";

export type LoadOptions = {
  /** ws:// URL of the fleet, path included. */
  readonly url: string;
  readonly clients: number;
  readonly rooms: number;
  /** 0 = rooms of one size; 0.7 = mixed sizes. */
  readonly skew: number;
  /** Publishes of one client per second, on average. */
  readonly messagesPerSecond: number;
  readonly payloadBytes: number;
  readonly seed: number;
  /** Keeps clients and rooms of parallel processes and repeated runs apart. */
  readonly prefix: string;
  /** New connections per second at the start. */
  readonly connectsPerSecond: number;
};

export const LOAD_DEFAULTS = {
  clients: 500,
  rooms: 50,
  skew: 0.7,
  messagesPerSecond: 0.2,
  payloadBytes: 128,
  seed: 1,
  prefix: "",
  connectsPerSecond: 250,
} as const satisfies Omit<LoadOptions, "url">;

/** What is seen while it runs. */
export type LoadStats = {
  /** Without witnesses. */
  readonly clients: number;
  /** Clients and witnesses with a session that takes writes. */
  readonly connected: number;
  readonly published: number;
  readonly acknowledged: number;
  readonly delivered: number;
  readonly moved: number;
  readonly resumed: number;
  readonly cut: number;
  /** Faults known so far; the last word is the verdict's. */
  readonly faults: number;
  readonly maxGapMs: number;
  readonly maxHoldMs: number;
  /** Clients by the KEY of the pod that holds their session. */
  readonly pods: ReadonlyMap<string, number>;
};

export type LoadSummary = {
  readonly verdict: Verdict;
  readonly clients: number;
  /** Committed moves and clients that made at least one. */
  readonly moves: number;
  readonly movedClients: number;
  /** Moves in which the new socket was committed before the client closed the old one. */
  readonly makeBeforeBreak: number;
  readonly resumes: number;
  readonly resets: number;
  readonly cut: number;
  /** Times that an application saw its client leave the connected state. */
  readonly disconnects: number;
  /** `gap` and `diverged` told to applications. */
  readonly toldGaps: number;
  /** Longest time of each client without a welcomed open socket: nothing can be received. */
  readonly p99GapMs: number;
  readonly maxGapMs: number;
  readonly gapsMs: readonly number[];
  /** Longest time of each client without a socket that takes writes: publishes wait, the commit of a move among them. */
  readonly p99HoldMs: number;
  readonly maxHoldMs: number;
  readonly holdsMs: readonly number[];
  /** Publish to delivery, all deliveries. */
  readonly deliveryP50Ms: number;
  readonly deliveryP99Ms: number;
  readonly deliveryMaxMs: number;
  readonly latency: HistogramData;
  /** When second sockets of committed moves opened, and when they were committed: milliseconds since 1970, sorted. */
  readonly begunAtMs: readonly number[];
  readonly committedAtMs: readonly number[];
  readonly seconds: number;
};

export type LoadCommand =
  | { readonly kind: "start"; readonly options: LoadOptions }
  /** One more client per room, at the place where new connections go now. */
  | { readonly kind: "join-witnesses" }
  /** A fault is being made: availability is not counted until it ends. */
  | { readonly kind: "fault"; readonly on: boolean }
  | { readonly kind: "stop" };

export type LoadReport =
  | { readonly kind: "connecting"; readonly connected: number; readonly of: number }
  | { readonly kind: "started" }
  | { readonly kind: "witnesses"; readonly count: number }
  | { readonly kind: "stats"; readonly stats: LoadStats }
  | { readonly kind: "summary"; readonly summary: LoadSummary }
  | { readonly kind: "failed"; readonly message: string };
