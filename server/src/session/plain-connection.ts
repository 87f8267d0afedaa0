// The conversation with a client that knows WebSockets and JSON and nothing else: at most once, no resume, no moves. To the rest of the
// pod it is a connection that cannot move. Not here: its frames (protocol's plain-frames.ts).

import { CLOSE_CODES, WIRE_DEFAULTS } from "@wscluster/protocol";
import type { PlainServerFrame, ServerFrame } from "@wscluster/protocol";
import { verdictOf } from "../app/hooks.ts";
import { handleOf } from "../app/session-handle.ts";
import { identityNotes } from "../auth/identity-notes.ts";
import { BrokerUnavailable } from "../broker/port.ts";
import type { Priority } from "../hub/namespaces.ts";
import type { Subscriber, Subscription } from "../hub/subscription.ts";
import type { RateVerdict } from "../limits/limits.ts";
import type { ClientSocket } from "../transport/client-socket.ts";
import { tracedPublish } from "../telemetry/tracing.ts";
import { textFrame } from "../transport/wire-frame.ts";
import { Connection } from "./connection.ts";
import type { SessionContext } from "./context.ts";
import { isChannelName, streamOf } from "./channel-names.ts";
import { attach, maySubscribe } from "./channels.ts";
import { isLetIn } from "./open.ts";
import { isRecord, jsonOf } from "./json-shape.ts";
import type { Json } from "./json-shape.ts";
import { memberText } from "./json-span.ts";
import { batchesOf, plainMessagesOf } from "./plain-text.ts";
import { newSessionId } from "./secret.ts";

/** Frames that wait for the ones before them; above it the socket is not read. */
const WAITING_HIGH = 128;
const WAITING_LOW = 32;

type Window = { readonly minMs: number; readonly maxMs: number };

export class PlainConnection extends Connection implements Subscriber {
  override readonly isStored = false;
  readonly lagging = new Set<Subscription>();
  deliveries = 0;
  #messages: string[] = [];
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** Sequence numbers by stream, and the generation that they count in. */
  readonly #published = new Map<string, { gen: number; seq: number }>();

  constructor(socket: ClientSocket, context: SessionContext, helloDeadlineMs: number) {
    super(socket, context, helloDeadlineMs);
    this.subscriber = this;
  }

  // ---- outward ------------------------------------------------------------------------------------------------------------

  say(frame: PlainServerFrame): void {
    this.socket.push(textFrame(JSON.stringify(frame)));
  }

  /** Frames of the other protocol that the pod sends to all alike. */
  override send(frame: ServerFrame): void {
    if (frame.t === "sub.ok") {
      this.say({ type: "subscribed", channel: frame.c, ...(frame.i === 0 ? {} : { id: frame.i }) });
    } else if (frame.t === "err") {
      const { code, message, i } = frame;
      this.say({ type: "error", code, message, ...(i ? { id: i } : {}) });
    } else if (frame.t === "unsubscribed") {
      this.say({ type: "unsubscribed", channel: frame.c });
    } else if (frame.t === "pace") {
      this.say({ type: "server_shutdown", closing: false, ...windowOf(frame) });
    }
  }

  override end(name: keyof typeof CLOSE_CODES, window: Window = { minMs: 0, maxMs: 0 }): void {
    const { code, meaning, name: reason } = CLOSE_CODES[name];
    if (code < 4_200 || code >= 4_300) {
      this.say({ type: "error", code: reason, message: meaning });
      this.socket.close(code, reason);
      return;
    }
    if (name === "drain") this.say({ type: "server_shutdown", closing: true, ...windowOf(window) });
    else this.say({ type: "migrate_connection", ...windowOf(window) });
    this.socket.close(CLOSE_CODES.serviceRestart.code, CLOSE_CODES.serviceRestart.name);
  }

  // ---- what the hub needs -------------------------------------------------------------------------------------------------

  push(output: Buffer): void {
    const messages = plainMessagesOf(output);
    if (messages.length === 0) return;
    const isFirst = this.#messages.length === 0;
    this.#messages.push(...messages);
    if (!isFirst) return;
    // All that the hub hands over in one go becomes one batch.
    queueMicrotask(() => {
      for (const text of batchesOf(this.#messages)) this.socket.push(textFrame(text));
      this.#messages = [];
    });
  }

  isCongested(priority?: Priority): boolean {
    return this.socket.isCongested(priority);
  }

  isDrained(): boolean {
    return this.socket.isDrained();
  }

  // ---- inward -------------------------------------------------------------------------------------------------------------

  override onText(text: string): void {
    this.lastActiveMs = this.context.now();
    const frame = jsonOf(text);
    if (!isRecord(frame)) {
      this.end("protocolError");
      return;
    }
    const verdict = this.judge(1, text.length);
    if (this.#isRefused(verdict, frame)) return;
    this.#waiting += 1;
    if (this.#waiting === WAITING_HIGH) this.socket.pause();
    this.#work = this.#work.then(async () => {
      try {
        await this.#onFrame(frame, text, verdict !== undefined);
      } catch {
        this.#refuse("unavailable", "The store did not answer in time.", idOf(frame));
      }
      this.#waiting -= 1;
      if (this.#waiting === WAITING_LOW) this.socket.resume();
    });
  }

  #isRefused(verdict: RateVerdict | undefined, frame: Json): boolean {
    if (verdict === undefined || verdict.kind === "pass") return false;
    if (verdict.kind === "close") this.end("rateLimited");
    else this.#refuse("rate-limited", `Too many messages; try again in ${verdict.afterMs} ms.`, idOf(frame));
    return true;
  }

  /** @param isJudged false: it came before there was a session to count it against. */
  async #onFrame(frame: Json, text: string, isJudged: boolean): Promise<void> {
    if (this.state === "hello") {
      await this.#open(frame);
      if (frame["type"] === "authenticate") return;
    }
    if (this.state !== "ready") return;
    const id = idOf(frame);
    const echo = id === undefined ? {} : { id };
    const { type, channel } = frame;
    this.received += 1;
    this.context.onMessage?.();
    this.context.metrics.add("wscluster_messages_received_total", 1, { type: "plain" });
    if (type === "ping") return this.say({ type: "pong", ...echo });
    if (!isJudged && this.#isRefused(this.judge(1, text.length), frame)) return;
    if (type !== "subscribe" && type !== "unsubscribe" && type !== "publish") {
      return this.#refuse("unknown-type", "The frame type is not known to this server.", id);
    }
    if (typeof channel !== "string" || !isChannelName(channel)) {
      return this.#refuse("bad-channel", "The channel name is empty, too long or reserved.", id);
    }
    if (type !== "unsubscribe" && !this.permits(type, channel)) {
      return this.#refuse("forbidden", "The permissions of this identity do not allow it.", id);
    }
    if (type === "publish") return this.#publish(channel, memberText(text, "data") ?? "null", id);
    if (type === "subscribe") return this.#subscribe(channel, id);
    const subscription = this.subscriptions.get(channel);
    this.subscriptions.delete(channel);
    if (subscription) this.context.hub.detach(subscription);
    this.say({ type: "unsubscribed", channel, ...echo });
  }

  async #open(frame: Json): Promise<void> {
    this.stopHelloTimer();
    this.state = "opening";
    const { context } = this;
    const { token = this.socket.arrival.token, user } = frame["type"] === "authenticate" ? frame : {};
    const result = await context.identify({
      ...(typeof token === "string" ? { token } : {}),
      ...(typeof user === "string" ? { user } : {}),
    });
    if (this.hasClosed()) return;
    if (!result.ok) {
      this.end(result.isTransient ? "backoff" : "unauthorized");
      return;
    }
    if (await context.revocations.isRevoked(result.identity)) return this.end("unauthorized");
    const { user: name, tenant } = result.identity;
    if (context.limits?.admitsSession(this.holder(result.identity)) === false) {
      this.end("quotaExceeded");
      return;
    }
    const id = newSessionId();
    const notes = identityNotes(result.identity);
    this.row = { id, user: name, tenant, ...notes, device: "", g: 1, owner: context.podKey, digest: "", channels: [] };
    this.producer = { id: `plain-${id}`, gen: 1 };
    if (!(await isLetIn(this, this.row)) || this.hasClosed()) return;
    this.state = "ready";
    this.hold();
    this.say({ type: "connected", user: name, tenant });
    const pace = context.pace();
    if (pace) this.send({ t: "pace", ...pace });
    await this.#listen();
  }

  /** What is published to the user, the tenant and everybody comes without asking: such a client does not know the channels. */
  async #listen(): Promise<void> {
    const { row, context } = this;
    if (!row) return;
    try {
      for (const channel of ["~me", "~tenant", "~all"]) {
        const subscription = await context.hub.attach(this, streamOf(row, channel), channel, undefined, () => {});
        if (this.hasClosed()) context.hub.detach(subscription);
        else this.subscriptions.set(channel, subscription);
      }
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) throw error;
      this.end("backoff");
    }
  }

  async #subscribe(channel: string, id: number | undefined): Promise<void> {
    if (!this.subscriptions.has(channel) && this.subscriptions.size >= WIRE_DEFAULTS.maxSubscriptions) {
      return this.#refuse("too-many-subscriptions", "The session holds the most channels it may.", id);
    }
    const verdict = await maySubscribe(this, channel);
    if (!verdict.ok) return this.#refuse(verdict.code, verdict.message, id);
    await attach(this, id ?? 0, channel, undefined);
  }

  async #publish(channel: string, data: string, id: number | undefined): Promise<void> {
    const { row, producer, context } = this;
    if (!row || !producer) return;
    const stream = `${row.tenant}/${channel}`;
    const last = this.#published.get(stream) ?? { gen: 1, seq: 0 };
    const before = context.hooks.beforePublish;
    if (before) {
      const proposed = {
        channel,
        data: JSON.parse(data) as unknown,
        text: data,
        key: `${row.id}/${last.gen}/${last.seq + 1}`,
      };
      const onFault = (error: unknown) => context.log.warn({ err: error, channel }, "the hook beforePublish failed");
      const verdict = await verdictOf(() => before(handleOf(this), proposed), onFault);
      if (!verdict.ok) return this.#refuse(verdict.code, verdict.message, id);
    }
    const { kind } = await tracedPublish(context.broker, context.tracing, {
      stream,
      producer: `${row.tenant}/${row.user}/${producer.id}`,
      gen: last.gen,
      seq: last.seq + 1,
      user: row.user,
      data,
    });
    context.metrics.add("wscluster_publishes_total", 1, { result: kind });
    if (kind === "stored") {
      this.#published.set(stream, { gen: last.gen, seq: last.seq + 1 });
      if (id !== undefined) this.say({ type: "published", id });
      return;
    }
    // Nobody knows whether it was stored, and it is not sent again: the numbering begins anew, so that the next one is taken.
    this.#published.set(stream, { gen: last.gen + 1, seq: 0 });
    this.#refuse("unavailable", "The store did not answer in time; nothing is known to be written.", id);
  }

  #refuse(code: string, message: string, id: number | undefined): void {
    this.say({ type: "error", code, message, ...(id === undefined ? {} : { id }) });
  }
}

function idOf(frame: Json): number | undefined {
  return Number.isSafeInteger(frame["id"]) ? (frame["id"] as number) : undefined;
}

function windowOf({ minMs, maxMs }: Window): { readonly reconnect_min_ms: number; readonly reconnect_max_ms: number } {
  return { reconnect_min_ms: minMs, reconnect_max_ms: maxMs };
}
