// What the oracle is told and what it answers. Clients report only what their application saw and did.
// Stamps are milliseconds of one monotonic clock.

export type Subscribed = {
  readonly client: string;
  readonly channel: string;
  /** Top of the stream when the subscription began: the first expected offset is one above. */
  readonly after: number;
};

export type Published = {
  readonly publisher: string;
  readonly channel: string;
  readonly id: string;
  readonly at: number;
};

export type Acknowledged = {
  readonly channel: string;
  readonly id: string;
  /** 0: the server only said that it was already stored (`dup` without a position). */
  readonly offset: number;
  readonly at: number;
};

export type Received = {
  readonly client: string;
  readonly channel: string;
  readonly offset: number;
  readonly id: string;
  readonly publisher: string;
  /** The publisher's own count in this channel, rising by one with each publish. */
  readonly seq: number;
};

export const FAULTS = ["lost", "duplicated", "reordered", "forked"] as const;
export type Fault = (typeof FAULTS)[number];

export type Example = {
  readonly fault: Fault;
  readonly client: string;
  readonly channel: string;
  readonly offset: number;
  readonly what: string;
};

export type Verdict = Readonly<Record<Fault, number>> & {
  /** No fault, and the evidence was strong enough to say so. */
  readonly ok: boolean;
  readonly channels: number;
  readonly subscriptions: number;
  readonly witnesses: number;
  readonly published: number;
  readonly acknowledged: number;
  /** Publishes that were never answered, or answered with an error: they may or may not be in the streams. */
  readonly unanswered: number;
  readonly delivered: number;
  /** Deliveries that the streams ask for: equals `delivered` where nothing is wrong. */
  readonly expected: number;
  /** Publishes answered within a second over publishes, in per cent, outside the declared faults. 100 when there was none. */
  readonly availabilityPercent: number;
  /** Hash of offset -> message id of each channel's stream, as every subscriber saw it. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Why the evidence is too thin, for people: an empty run proves nothing. */
  readonly weak: readonly string[];
  readonly examples: readonly Example[];
};

export type TimeSpan = { readonly from: number; readonly to: number };
