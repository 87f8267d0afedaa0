// Limits of this pod: sessions per user, tenant and address, and rates of messages and bytes per connection and tenant. A limit of 0
// is none. Not here: capacity of the pod (transport/admission.ts), numbers (config.ts).

import { WIRE_DEFAULTS } from "@wscluster/protocol";
import { TokenBucket } from "./token-bucket.ts";
import type { Rate } from "./token-bucket.ts";

export type LimitSettings = {
  readonly sessionsPerUser: number;
  readonly sessionsPerTenant: number;
  /** Sessions of one address; sockets may be twice as many, since a client that comes back holds two for a moment. */
  readonly sessionsPerAddress: number;
  readonly subscriptionsPerSession: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly tenantMessagesPerSecond: number;
  readonly tenantBytesPerSecond: number;
};

export const NO_LIMITS: LimitSettings = {
  sessionsPerUser: 0,
  sessionsPerTenant: 0,
  sessionsPerAddress: 0,
  subscriptionsPerSession: WIRE_DEFAULTS.maxSubscriptions,
  messagesPerSecond: 0,
  bytesPerSecond: 0,
  tenantMessagesPerSecond: 0,
  tenantBytesPerSecond: 0,
};

export type LimitName =
  | "user-sessions"
  | "tenant-sessions"
  | "address-sessions"
  | "address-sockets"
  | "subscriptions"
  | "messages"
  | "bytes"
  | "tenant-messages"
  | "tenant-bytes"
  | "patience";

/** Who holds a session here. */
export type Holder = { readonly user: string; readonly tenant: string; readonly address: string };

export type RateVerdict =
  | { readonly kind: "pass" }
  | { readonly kind: "refuse"; readonly afterMs: number }
  /** It goes on in spite of many refusals. */
  | { readonly kind: "close" };

/** Two seconds' worth, and at least the largest array of frames that is legal: else that one could never pass. */
const BURST_SECONDS = 2;
const LEAST_BURST_MESSAGES = 256;
const LEAST_BURST_BYTES = 2 * WIRE_DEFAULTS.maxPayloadBytes;
/** Refused messages that a connection may go on sending. A client that waits as it is told never comes near. */
const PATIENCE: Rate = { perSecond: 50, burst: 1_000 };
const SOCKETS_PER_SESSION = 2;
const PASS = { kind: "pass" } as const;

class RateBuckets {
  readonly messages: TokenBucket;
  readonly bytes: TokenBucket;

  constructor(nowMs: number) {
    this.messages = new TokenBucket(nowMs);
    this.bytes = new TokenBucket(nowMs);
  }
}

/** Of one connection; made with the first message under a limit. */
export class ConnectionMeter extends RateBuckets {
  readonly patience: TokenBucket;

  constructor(nowMs: number) {
    super(nowMs);
    this.patience = new TokenBucket(nowMs);
  }
}

export type Metered = { meter?: ConnectionMeter | undefined };

type Tenant = { sessions: number; readonly rates: RateBuckets };

export class Limits {
  readonly #settings: () => LimitSettings;
  readonly #now: () => number;
  readonly #onLimited: (limit: LimitName) => void;
  readonly #users = new Map<string, number>();
  readonly #tenants = new Map<string, Tenant>();
  readonly #addresses = new Map<string, number>();
  readonly #sockets = new Map<string, number>();

  /** @param onLimited is told of each refusal, by limit. */
  constructor(settings: () => LimitSettings, now: () => number, onLimited: (limit: LimitName) => void) {
    this.#settings = settings;
    this.#now = now;
    this.#onLimited = onLimited;
  }

  // ---- connections --------------------------------------------------------------------------------------------------------

  /** Whether one more socket without a ticket may come from this address. */
  admitsSocket(address: string): boolean {
    const limit = this.#settings().sessionsPerAddress * SOCKETS_PER_SESSION;
    return this.#isBelow("address-sockets", this.#sockets.get(address), limit);
  }

  socketOpened(address: string): void {
    add(this.#sockets, address, 1);
  }

  socketClosed(address: string): void {
    add(this.#sockets, address, -1);
  }

  /** Whether a new session may begin. Sessions that resume or move were let in before. */
  admitsSession({ user, tenant, address }: Holder): boolean {
    const limits = this.#settings();
    return (
      this.#isBelow("user-sessions", this.#users.get(userKey(user, tenant)), limits.sessionsPerUser) &&
      this.#isBelow("tenant-sessions", this.#tenants.get(tenant)?.sessions, limits.sessionsPerTenant) &&
      this.#isBelow("address-sessions", this.#addresses.get(address), limits.sessionsPerAddress)
    );
  }

  #isBelow(name: LimitName, count: number | undefined, limit: number): boolean {
    if (limit === 0 || (count ?? 0) < limit) return true;
    this.#onLimited(name);
    return false;
  }

  /** A session is held on this pod from now on. */
  hold({ user, tenant, address }: Holder): void {
    add(this.#users, userKey(user, tenant), 1);
    add(this.#addresses, address, 1);
    const known = this.#tenants.get(tenant);
    if (known) known.sessions += 1;
    else this.#tenants.set(tenant, { sessions: 1, rates: new RateBuckets(this.#now()) });
  }

  /** The session is gone from this pod, or another connection was reported to hold it. */
  release({ user, tenant, address }: Holder): void {
    add(this.#users, userKey(user, tenant), -1);
    add(this.#addresses, address, -1);
    const known = this.#tenants.get(tenant);
    if (!known) return;
    known.sessions -= 1;
    if (known.sessions === 0) this.#tenants.delete(tenant);
  }

  /** Entries kept, for tests. */
  get size(): number {
    return this.#users.size + this.#tenants.size + this.#addresses.size + this.#sockets.size;
  }

  // ---- rates --------------------------------------------------------------------------------------------------------------

  admitsSubscription(others: number): boolean {
    const limit = this.#settings().subscriptionsPerSession;
    if (others <= limit) return true;
    this.#onLimited("subscriptions");
    return false;
  }

  /** Judges messages of one connection; those that pass are counted. */
  judge(connection: Metered, tenant: string, messages: number, bytes: number): RateVerdict {
    const limits = this.#settings();
    const { messagesPerSecond, bytesPerSecond, tenantMessagesPerSecond, tenantBytesPerSecond } = limits;
    if (messagesPerSecond + bytesPerSecond + tenantMessagesPerSecond + tenantBytesPerSecond === 0) return PASS;
    const nowMs = this.#now();
    const meter = (connection.meter ??= new ConnectionMeter(nowMs));
    const rates = this.#tenants.get(tenant)?.rates;
    const buckets = [
      ["messages", meter.messages, messages, rateOf(messagesPerSecond, LEAST_BURST_MESSAGES)],
      ["bytes", meter.bytes, bytes, rateOf(bytesPerSecond, LEAST_BURST_BYTES)],
      ["tenant-messages", rates?.messages, messages, rateOf(tenantMessagesPerSecond, LEAST_BURST_MESSAGES)],
      ["tenant-bytes", rates?.bytes, bytes, rateOf(tenantBytesPerSecond, LEAST_BURST_BYTES)],
    ] as const;
    let afterMs = 0;
    for (const [name, bucket, cost, rate] of buckets) {
      if (rate.perSecond === 0 || !bucket) continue;
      const waitMs = bucket.waitFor(cost, rate, nowMs);
      if (waitMs > 0) this.#onLimited(name);
      afterMs = Math.max(afterMs, waitMs);
    }
    if (afterMs > 0) return this.#refuse(meter, messages, afterMs, nowMs);
    for (const [, bucket, cost] of buckets) bucket?.take(cost);
    return PASS;
  }

  #refuse(meter: ConnectionMeter, messages: number, afterMs: number, nowMs: number): RateVerdict {
    if (meter.patience.waitFor(messages, PATIENCE, nowMs) > 0) {
      this.#onLimited("patience");
      return { kind: "close" };
    }
    meter.patience.take(messages);
    return { kind: "refuse", afterMs };
  }
}

function rateOf(perSecond: number, least: number): Rate {
  return { perSecond, burst: Math.max(least, perSecond * BURST_SECONDS) };
}

function userKey(user: string, tenant: string): string {
  return `${tenant}/${user}`;
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
