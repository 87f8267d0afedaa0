// Messages of a Redis channel, {"target_type", "target_id", "data"}, into streams. Every pod hears them; the one that holds a lease
// applies them. The others keep the last seconds: whoever takes the lease over from a pod that died applies those of them that have an
// `id`, which is what keeps the store from taking a message twice. Messages without one are applied by who holds the lease when they come.
// Not here: Redis (broker/redis/ingest-channel.ts).

import { randomUUID } from "node:crypto";
import type { SERVER_METRICS } from "@wscluster/protocol";
import type { Logger, Metrics } from "@wscluster/platform";
import { PublishError } from "../app/publishing.ts";
import type { ServerPublisher } from "../app/publishing.ts";
import type { IngestChannel } from "../broker/redis/ingest-channel.ts";
import { streamOfTarget } from "../session/channel-names.ts";
import { createComplaints } from "./complaints.ts";
import { INGEST_ERRORS } from "./errors.ts";
import type { IngestErrorCode } from "./errors.ts";
import { Lanes } from "./lanes.ts";
import { targetMessageOf } from "./target-message.ts";
import type { Delivery } from "./target-message.ts";

export type ChannelIngestParts = {
  readonly channel: IngestChannel;
  readonly publisher: Pick<ServerPublisher, "publishText">;
  readonly podKey: string;
  readonly metrics: Pick<Metrics<keyof typeof SERVER_METRICS>, "add" | "set">;
  readonly log: Pick<Logger, "warn" | "info">;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
};

/** How long a dead holder's lease stands. */
const LEASE_MS = 6_000;
const RENEW_MS = 1_000;
/** Longer than a lease: what came while a dead pod held it. */
const KEEP_MS = 10_000;
const KEEP_BYTES = 16 * 1024 * 1024;
/** A channel cannot be told to wait. */
const MAX_WAITING = 10_000;

type Kept = { readonly atMs: number; readonly message: Buffer };

export class ChannelIngest {
  readonly #parts: ChannelIngestParts;
  readonly #lanes = new Lanes();
  readonly #complain;
  #kept: Kept[] = [];
  #keptBytes = 0;
  #heldUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ChannelIngestParts) {
    this.#parts = parts;
    const { log, channel, now } = parts;
    this.#complain = createComplaints(
      (code, details) => log.warn({ code, channel: channel.name, ...details }, "a message is left out"),
      now,
    );
  }

  get holds(): boolean {
    return this.#parts.now() < this.#heldUntilMs;
  }

  start(): void {
    this.#parts.channel.start((message) => this.#hear(message));
    this.#timer = setInterval(() => void this.renew(), RENEW_MS);
    void this.renew();
  }

  /** Tries to hold the lease, or to keep it. */
  async renew(): Promise<void> {
    const { channel, podKey, now, log } = this.#parts;
    this.#forget();
    const askedAtMs = now();
    const held = this.holds;
    try {
      if (!(await channel.hold(podKey, LEASE_MS)) || this.#timer === undefined) return;
    } catch {
      // The lease ends by itself.
      return;
    }
    this.#heldUntilMs = askedAtMs + LEASE_MS;
    if (held) return;
    log.info({ channel: channel.name }, "this pod applies the channel's messages");
    for (const { message } of this.#kept.splice(0)) this.#apply(message, true);
    this.#keptBytes = 0;
  }

  /** In order: what was heard is stored first, as far as the store answers in time. */
  async stop(withinMs = 2_000): Promise<void> {
    const held = this.holds;
    clearInterval(this.#timer);
    this.#timer = undefined;
    const { channel, podKey } = this.#parts;
    // First the lease: what comes from now on is the next pod's.
    this.#heldUntilMs = 0;
    if (held) await channel.release(podKey).catch(() => {});
    let late: NodeJS.Timeout | undefined;
    const end = new Promise<void>((resolve) => {
      late = setTimeout(resolve, withinMs);
    });
    await Promise.race([this.#lanes.below(1), end]);
    clearTimeout(late);
    this.kill();
  }

  /** At once, as if the process had died. */
  kill(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#heldUntilMs = 0;
    this.#parts.channel.stop();
    void this.#lanes.stop();
  }

  #hear(message: Buffer): void {
    if (this.holds) return this.#apply(message, false);
    this.#kept.push({ atMs: this.#parts.now(), message });
    this.#keptBytes += message.length;
    if (this.#keptBytes > KEEP_BYTES) this.#forget();
  }

  #forget(): void {
    const from = this.#parts.now() - KEEP_MS;
    let count = 0;
    for (const { atMs, message } of this.#kept) {
      if (atMs >= from && this.#keptBytes <= KEEP_BYTES) break;
      this.#keptBytes -= message.length;
      count += 1;
    }
    if (count > 0) this.#kept.splice(0, count);
  }

  /** @param late it may have been applied by the pod that had the lease before. */
  #apply(message: Buffer, late: boolean): void {
    const parsed = targetMessageOf(message.toString());
    if ("error" in parsed) {
      if (!late) this.#leaveOut(parsed.error, message);
      return;
    }
    if (late && parsed.delivery.id === undefined) return;
    if (this.#lanes.waiting >= MAX_WAITING) return this.#leaveOut("overflow", message);
    this.#store(parsed.delivery);
  }

  #leaveOut(code: IngestErrorCode, message: Buffer): void {
    this.#count(code);
    this.#complain(code, { why: INGEST_ERRORS[code], bytes: message.length });
  }

  #store({ target, text, id }: Delivery): void {
    const { publisher, metrics } = this.#parts;
    const key = id === undefined ? undefined : `ingest/${id}`;
    // One key for all tries of a message without a name of its own.
    const options = { from: "ingest", key: key ?? randomUUID() };
    const setWaiting = () => metrics.set("wscluster_ingest_waiting", this.#lanes.waiting, { source: "redis" });
    const stored = this.#lanes.run(streamOfTarget(target) ?? "", async () => {
      try {
        const { dup } = await publisher.publishText(target, text, options);
        this.#count(dup ? "dup" : "stored");
        return true;
      } catch (error) {
        if (!(error instanceof PublishError) || error.code === "unavailable") return false;
        this.#count(error.code);
        return true;
      }
    });
    setWaiting();
    void stored.then(setWaiting);
  }

  #count(result: string): void {
    this.#parts.metrics.add("wscluster_ingest_messages_total", 1, { source: "redis", result });
  }
}
