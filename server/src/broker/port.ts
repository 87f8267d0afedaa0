// What the server needs from a shared store. Adapters: memory.ts (one process, tests) and redis/. Not here: sockets, cursors.

import { USER_CHANNEL } from "@wscluster/protocol";
import type { Position, Receipts, StoreSettings } from "@wscluster/protocol";
import { namespaceOf } from "../hub/namespaces.ts";
import type { Namespace } from "../hub/namespaces.ts";
import type { PresenceEvent, PresenceStore } from "./presence-port.ts";

/** A former life of a stream and the offset that it ended with. */
export type Life = readonly [epoch: string, top: number];

export type StreamTop = {
  readonly epoch: string;
  /** Last offset; 0 before the first publication. */
  readonly top: number;
  /** Former lives, oldest first, at most `MAX_LIVES`. */
  readonly lives: readonly Life[];
};

/** Lives that a stream remembers; a position of an older one is unknown. */
export const MAX_LIVES = 8;

export type Publication = {
  readonly stream: string;
  readonly epoch: string;
  readonly offset: number;
  /** Only on the first publication of a life: where the life before it ended (epoch "" when there was none). */
  readonly prev?: Position;
  /** Microseconds since 1970 by the store's clock, never falling within a stream. */
  readonly ts: number;
  readonly user: string;
  /** W3C `traceparent` of a sampled message. */
  readonly trace?: string;
  /** JSON text of the payload, UTF-8. */
  readonly data: Buffer;
};

export type PublishRequest = {
  readonly stream: string;
  readonly user: string;
  readonly data: string;
  /** W3C `traceparent` of a sampled message. */
  readonly trace?: string;
} & (NumberedPublish | OncePublish);

type NumberedPublish = {
  /** TENANT/USER/PRODUCER. */
  readonly producer: string;
  readonly gen: number;
  readonly seq: number;
  /** The numbers of this producer may have holes, as offsets of a Kafka partition do. */
  readonly gaps?: boolean;
};

/** For those who cannot count: what comes again under the same key within `ONCE_MS` is a `dup`. */
type OncePublish = { readonly key: string };

/** How long a key of a publish is remembered. */
export const ONCE_MS = 300_000;

export type PublishResult =
  | { readonly kind: "stored"; readonly epoch: string; readonly offset: number }
  /** Stored before; `offset` is 0 when the first position is not known any more. */
  | { readonly kind: "dup"; readonly epoch: string; readonly offset: number }
  | { readonly kind: "out-of-order"; readonly last: number }
  | { readonly kind: "fenced" }
  /** No answer in time. The publication may have been, or may yet be, stored: sending the same seq again is safe. */
  | { readonly kind: "unavailable" };

export type Page = { readonly top: StreamTop; readonly items: readonly Publication[] };

export type SessionRow = {
  readonly id: string;
  readonly tenant: string;
  readonly user: string;
  readonly device: string;
  /** Run of the client that holds it; absent = it did not say. */
  readonly instance?: string;
  /** Generation. */
  readonly g: number;
  /** KEY of the pod that holds it. */
  readonly owner: string;
  /** Digest of the resume secret; the secret itself is never stored. */
  readonly digest: string;
  readonly channels: readonly string[];
  /** Small things that travel with the session, by name; absent = none. */
  readonly notes?: Readonly<Record<string, string>>;
};

export type LoadedSession = {
  readonly row: SessionRow;
  /** Milliseconds since the owner pod's last sign of life, by the store's clock; `undefined` when the pod is not known. */
  readonly ownerSilentMs: number | undefined;
};

export type ReceiptOutcome = keyof Receipts;

export type ReceiptOf = { readonly intent: string; readonly source: string };

export type PodLease = {
  readonly key: string;
  readonly mode: "active" | "preview" | "none";
  readonly sealed: boolean;
  readonly terminating: boolean;
  /** True in the last beat: the process ends. */
  readonly gone: boolean;
  readonly capacity: number;
  readonly connections: number;
  /** New sessions per second that it bears, as measured. */
  readonly admissionPerSecond?: number;
};

export type PodEntry = PodLease & { readonly silentMs: number };

/** The streams that a pod follows and where it stands in them. */
export interface HeldStreams {
  streams(): Iterable<string>;
  positionOf(stream: string): Position | undefined;
}

/** What pods tell each other about one session. */
export type ControlMessage = {
  readonly session: string;
  /** The generation that holds now. */
  readonly g: number;
} & (
  | {
      readonly kind: "moved" | "taken";
      /** Pod that holds it now. */
      readonly pod: string;
    }
  /** Is it in use on a socket of yours? `pod` asks. */
  | { readonly kind: "ask"; readonly pod: string }
  | { readonly kind: "answer"; readonly pod: string; readonly live: boolean }
);

export interface BrokerListener {
  publication(publication: Publication): void;
  ephemeral(stream: string, user: string, data: Buffer): void;
  control(message: ControlMessage): void;
  presence?(event: PresenceEvent): void;
  /** The store is back, or messages may have been missed: every held stream must be compared with its top. */
  resync(): void;
}

/** How far named readers of a stream have come. Rejections: only `BrokerUnavailable`. */
export interface CursorStore {
  get(stream: string, name: string): Promise<Position | undefined>;
  /** Never back within an epoch. */
  advance(stream: string, name: string, position: Position): Promise<void>;
}

/** Rejections: only `BrokerUnavailable`. */
export interface Broker {
  /** False when no other pod can see this store. */
  readonly shared: boolean;
  readonly presence: PresenceStore;
  readonly cursors: CursorStore;
  start(listener: BrokerListener): Promise<void>;
  stop(): Promise<void>;

  /** Keeps the order of calls per stream and producer. Never rejects. */
  publish(request: PublishRequest): Promise<PublishResult>;
  publishEphemeral(stream: string, user: string, data: string): void;

  /** Resolves once publications made from now on will be heard. */
  subscribe(stream: string): Promise<void>;
  unsubscribe(stream: string): void;
  /** The stream's top after a life check, and at most `limit` publications after `after`. Creates the stream's first life if it has none. */
  read(stream: string, after: number, limit: number): Promise<Page>;
  /** Which of the held streams are not where this pod believes, among those that changed since the last call: O(changed) reads. */
  changed(held: HeldStreams): Promise<readonly string[]>;
  /** The same for every held stream. */
  moved(held: HeldStreams): Promise<readonly string[]>;

  createSession(row: SessionRow): Promise<void>;
  loadSession(id: string): Promise<LoadedSession | undefined>;
  /** Sessions of one user, on whatever pod, newest first; also those that are broken and may yet resume. */
  sessionsOf(tenant: string, user: string): Promise<readonly LoadedSession[]>;
  /** False when the generation is not `g` any more: nothing was changed. */
  changeChannels(id: string, g: number, add: readonly string[], remove: readonly string[]): Promise<boolean>;
  /** Sets or (`undefined`) removes a note of the session. False when the generation is not `g` any more. */
  note(id: string, g: number, name: string, value: string | undefined): Promise<boolean>;
  /** Takes the session over at once: the new generation, or `undefined` when `g` is outdated. Tells the former owner; counts `resumed`. */
  takeOver(id: string, g: number, owner: string, receipt?: ReceiptOf, instance?: string): Promise<number | undefined>;
  /** Tells one pod something. At most once, and nobody says whether it arrived. */
  tell(pod: string, message: ControlMessage): void;
  /** First phase of a move: false when `g` is outdated. */
  prepare(id: string, g: number, target: string, ttlMs: number): Promise<boolean>;
  /**
   * Second phase: the row as it is from now on (the source may have changed it until then), or `undefined` when nothing was waiting for this target any more. Counts `moved`, tells `source`.
   * Asked again for the same `move` after an answer got lost, it answers the same and counts nothing.
   */
  commit(id: string, g: number, target: string, move: string, receipt: ReceiptOf): Promise<SessionRow | undefined>;
  /** Forgets the session if its generation is still `g`. True when it was. */
  endSession(id: string, g: number): Promise<boolean>;

  countReceipts(
    counts: readonly (ReceiptOf & { readonly outcome: ReceiptOutcome; readonly count: number })[],
  ): Promise<void>;
  /** Totals by intent over all sources. */
  receipts(): Promise<Readonly<Record<string, Receipts>>>;

  /** What it may lose, as far as it tells; absent where there is nothing to tell. */
  settings?(): Promise<StoreSettings>;

  /** Renews this pod's lease and returns all that are known, this one among them. */
  beat(lease: PodLease): Promise<readonly PodEntry[]>;
}

export class BrokerUnavailable extends Error {
  readonly code = "unavailable";
}

/** Settings that both adapters follow; read anew on each use so that a reload takes effect. */
export type HistoryPolicy = { readonly maxLength: number; readonly ttlMs: number };
export type BrokerPolicy = {
  readonly history: HistoryPolicy;
  /** Those with a history of their own have it instead. */
  readonly namespaces?: readonly Namespace[] | undefined;
  /** Of users' inboxes; absent = `INBOX_POLICY`. */
  readonly inbox?: HistoryPolicy;
  /** Life of a stream's meta after its last use; longer than any session may sleep. */
  readonly metaTtlMs: number;
  /** Longest life of a session row. */
  readonly sessionMaxAgeMs: number;
};

/** An inbox waits for its user's devices for a week. */
export const INBOX_POLICY: HistoryPolicy = { maxLength: 1_000, ttlMs: 7 * 86_400_000 };

/** The history that a stream keeps. */
export function historyOf(policy: BrokerPolicy, stream: string): HistoryPolicy {
  if (stream.includes(`/${USER_CHANNEL}`)) return policy.inbox ?? INBOX_POLICY;
  if (!policy.namespaces?.some(({ history }) => history)) return policy.history;
  const channel = stream.slice(stream.indexOf("/") + 1);
  // Reserved streams are nobody's to name.
  const own = channel.startsWith("~") ? undefined : namespaceOf(policy.namespaces, channel)?.history;
  return own ?? policy.history;
}

export const DEFAULT_POLICY: BrokerPolicy = {
  history: { maxLength: 1_000, ttlMs: 300_000 },
  metaTtlMs: 7 * 86_400_000,
  sessionMaxAgeMs: 86_400_000,
};

/** Silence after which a pod counts as dead for targeting; three beats. */
export const LEASE_MS = 6_000;
/** A pod that was silent this long is dropped from the registry. */
export const FORGET_POD_MS = 3_600_000;
