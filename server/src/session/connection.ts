// One socket's conversation: hello -> [prepared ->] ready -> left -> closed. Not here: opening (open.ts), moves (drain/), bytes.

import { CLOSE_CODES, USER_CHANNEL, WIRE_ERRORS } from "@wscluster/protocol";
import type {
  Capability,
  ClientFrame,
  HelloFrame,
  Producer,
  ServerFrame,
  Ticket,
  WireErrorName,
} from "@wscluster/protocol";
import type { Authentication } from "../auth/identity.ts";
import { permits } from "../auth/permissions.ts";
import type { Action } from "../auth/permissions.ts";
import { NO_PLACE, placeOf } from "../auth/placement.ts";
import type { Place } from "../auth/placement.ts";
import { AUTH_NOTE, authOf } from "../auth/revocations.ts";
import { BrokerUnavailable } from "../broker/port.ts";
import type { SessionRow } from "../broker/port.ts";
import type { Subscriber, Subscription } from "../hub/subscription.ts";
import type { ConnectionMeter, Holder, RateVerdict } from "../limits/limits.ts";
import { closeLabel, errorKindOf, errorKindOfClose } from "../telemetry/error-kinds.ts";
import { timed } from "../telemetry/response.ts";
import type { ClientSocket, SocketOwner } from "../transport/client-socket.ts";
import { textFrame } from "../transport/wire-frame.ts";
import { changesSince } from "./channel-changes.ts";
import type { SessionContext } from "./context.ts";
import { followChannels } from "./channels.ts";
import { decodeText } from "./decode.ts";
import type { Decoded } from "./decode.ts";
import { dispatch } from "./dispatch.ts";
import { sessionEnded } from "./ended.ts";
import { openConnection } from "./open.ts";
import { PublishLane } from "./publish-lane.ts";
import { Turns } from "./turns.ts";

export type ConnectionState =
  /** Waiting for `hello`. */
  | "hello"
  /** `hello` is being worked on; frames wait. */
  | "opening"
  /** Second socket of a move: reads only. */
  | "prepared"
  | "ready"
  /** The session lives on another socket; answers still go out here. */
  | "left"
  | "closed";

const BACKLOG_FRAMES = 512;
/** An old socket whose client does not close it is ended after this time. */
export const LEAVE_WITHIN_MS = 15_000;

export class Connection implements SocketOwner {
  readonly socket: ClientSocket;
  /** Who gets the frames of channels: the socket, unless they have to be said differently. */
  subscriber: Subscriber;
  /** False: nobody but this pod knows the session, and it ends with the socket. */
  readonly isStored: boolean = true;
  readonly context: SessionContext;
  state: ConnectionState = "hello";
  row: SessionRow | undefined;
  caps: ReadonlySet<Capability> = new Set();
  producer: Producer | undefined;
  /** Ticket of the move that this socket prepares. */
  ticket: Ticket | undefined;
  /** Move that this connection was asked to make, as source. */
  askedMove: string | undefined;
  lastActiveMs: number;
  /** When the session left for another socket. */
  leftAtMs = 0;
  /** Where its load counts, from the moment on in which it holds its session. */
  place: Place = NO_PLACE;
  /** Messages from the client. */
  received = 0;
  /** What the limits count of this connection. */
  meter: ConnectionMeter | undefined;
  readonly subscriptions = new Map<string, Subscription>();
  /** Changes of one channel happen in the order in which they were asked for. */
  readonly turns = new Turns();
  #backlog: Decoded[] = [];
  readonly publishes = new PublishLane();
  readonly #helloTimer: NodeJS.Timeout;
  #authText: string | undefined;
  #auth: Authentication | undefined;
  /** Calls of routes that are under way. */
  calls = 0;
  /** The client was told that its token ends. */
  askedToRefresh = false;
  /** An ended token is borne until then. */
  graceUntilMs = 0;

  constructor(socket: ClientSocket, context: SessionContext, helloDeadlineMs: number) {
    this.socket = socket;
    this.subscriber = socket;
    this.context = context;
    this.lastActiveMs = context.now();
    socket.owner = this;
    context.registry.all.add(this);
    this.#helloTimer = setTimeout(() => {
      if (this.state === "hello") this.end("helloTimeout");
    }, helloDeadlineMs);
  }

  // ---- outward ------------------------------------------------------------------------------------------------------------

  send(frame: ServerFrame): void {
    this.context.metrics.add("wscluster_messages_sent_total", 1, { type: frame.t });
    this.socket.push(textFrame(JSON.stringify(frame)));
  }

  fail(
    code: WireErrorName,
    i?: number,
    more: { readonly message?: string; readonly last?: number; readonly afterMs?: number } = {},
  ): void {
    this.context.metrics.add("wscluster_errors_total", 1, { kind: errorKindOf(code), code });
    this.send({
      t: "err",
      ...(i === undefined ? {} : { i }),
      code,
      message: more.message ?? WIRE_ERRORS[code].meaning,
      ...(more.last === undefined ? {} : { last: more.last }),
      ...(more.afterMs === undefined ? {} : { afterMs: more.afterMs }),
    });
  }

  /** Closes with a `bye` that carries the window to come back in. */
  end(
    name: keyof typeof CLOSE_CODES,
    window: { readonly minMs: number; readonly maxMs: number } = { minMs: 0, maxMs: 0 },
  ): void {
    const { code, meaning, name: reason } = CLOSE_CODES[name];
    if (code >= 4_200 && code < 4_300) this.send({ t: "bye", code, why: meaning, ...window });
    this.socket.close(code, reason);
  }

  // ---- inward -------------------------------------------------------------------------------------------------------------

  onText(text: string): void {
    const decoded = decodeText(text);
    if (!decoded.ok) {
      this.end("protocolError");
      return;
    }
    const verdict = this.judge(decoded.frames.length, text.length);
    for (const frame of decoded.frames) {
      if (verdict && verdict.kind !== "pass") this.#onOverRate(frame, verdict);
      else this.#onDecoded(frame);
    }
  }

  /** Undefined while there is no session to judge by. */
  judge(messages: number, bytes: number): RateVerdict | undefined {
    const { row, context } = this;
    return this.state === "ready" && row ? context.limits?.judge(this, row.tenant, messages, bytes) : undefined;
  }

  #onOverRate(decoded: Decoded, verdict: Exclude<RateVerdict, { readonly kind: "pass" }>): void {
    if (verdict.kind === "close") this.end("rateLimited");
    // What ends a move or proves life is small, and refusing it would cost more than it does.
    else if (decoded.ok && isAlwaysTaken(decoded.frame.t)) this.#onDecoded(decoded);
    else {
      const i = decoded.ok ? ("i" in decoded.frame ? decoded.frame.i : undefined) : decoded.i;
      this.fail("rate-limited", i, { afterMs: verdict.afterMs });
    }
  }

  onBinary(): void {
    this.end("protocolError");
  }

  onDrained(): void {
    this.context.hub.onDrained(this.subscriber);
  }

  stopHelloTimer(): void {
    clearTimeout(this.#helloTimer);
  }

  onClosed(code: number): void {
    this.stopHelloTimer();
    const { registry, metrics, hub, now } = this.context;
    const former = this.state;
    this.state = "closed";
    this.#backlog = [];
    registry.all.delete(this);
    registry.leaving.delete(this);
    this.context.presence.drop(this.socket);
    for (const subscription of this.subscriptions.values()) hub.detach(subscription);
    this.subscriptions.clear();
    metrics.add("wscluster_connections_closed_total", 1, { code: closeLabel(code) });
    const kind = errorKindOfClose(code);
    if (kind) metrics.add("wscluster_errors_total", 1, { kind, code: closeLabel(code) });
    const { row } = this;
    if (!row) return;
    if (registry.preparing.get(row.id) === this) registry.preparing.delete(row.id);
    if (registry.release(row.id, this)) this.context.limits?.release(this.holder(row));
    if (former === "ready" || former === "left") this.context.moves.closed(this);
    if (former === "ready" && !this.isStored) sessionEnded(this.context, row);
    else if (former === "ready") {
      if (code === CLOSE_CODES.normal.code || code === CLOSE_CODES.forbidden.code) void this.#forget(row);
      else registry.lose(row, now());
    }
  }

  async #forget(row: SessionRow): Promise<void> {
    try {
      const isOver = await this.context.broker.endSession(row.id, row.g);
      this.context.moves.settled(row.id, isOver);
      if (isOver) sessionEnded(this.context, row);
    } catch {
      this.context.registry.lose(row, this.context.now());
    }
  }

  #onDecoded(decoded: Decoded): void {
    if (this.state === "opening") {
      if (this.#backlog.length >= BACKLOG_FRAMES) this.end("protocolError");
      else this.#backlog.push(decoded);
      return;
    }
    if (!decoded.ok) {
      this.fail(decoded.code, decoded.i, { message: decoded.message });
      return;
    }
    const { frame } = decoded;
    this.received += 1;
    this.context.onMessage?.();
    this.context.metrics.add("wscluster_messages_received_total", 1, { type: frame.t });
    // An answer to our own ping is life, and no activity of the user.
    if (frame.t !== "pong") this.lastActiveMs = this.context.now();
    if (this.state === "hello") {
      if (frame.t === "hello") void this.#open(frame);
      else this.end("protocolError");
      return;
    }
    if (frame.t === "commit") void this.#commit(frame.i);
    else dispatch(this, frame, decoded.data);
  }

  async #open(hello: HelloFrame): Promise<void> {
    this.stopHelloTimer();
    this.state = "opening";
    this.caps = new Set(hello.caps);
    this.socket.takesBlocks = this.caps.has("batch");
    this.producer = hello.producer;
    this.socket.pause();
    try {
      if (!this.context.hasLease())
        throw new BrokerUnavailable("cannot open a session: no lease of this pod was ever stored");
      await timed(this.context.metrics, "hello", () => openConnection(this, hello));
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) this.context.log.error({ err: error }, "cannot open a session");
      this.fail("unavailable");
      this.end("backoff");
    }
    this.socket.resume();
  }

  /** Called by `openConnection` once `welcome` is out: frames that came meanwhile are next. */
  opened(state: "prepared" | "ready"): void {
    if (this.state !== "opening") return;
    this.state = state;
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const decoded of backlog) this.#onDecoded(decoded);
  }

  /** @param isNamed the channel has a name that may be used for this. */
  mayWrite(i: number | undefined, isNamed: boolean, action?: Action, name = ""): boolean {
    if (this.state === "prepared") this.fail("not-ready", i);
    else if (this.state === "left") this.fail("fenced", i);
    else if (!isNamed) this.fail("bad-channel", i);
    else if (action !== undefined && !this.permits(action, name)) this.fail("forbidden", i);
    else return this.state === "ready";
    return false;
  }

  /** What the token said; `undefined` for anonymous users. */
  get auth(): Authentication | undefined {
    const text = this.row?.notes?.[AUTH_NOTE];
    if (text !== this.#authText) {
      this.#authText = text;
      this.#auth = text === undefined ? undefined : authOf(text);
    }
    return this.#auth;
  }

  /** @param name of a channel; with `direct` of an inbox as `~user/NAME`, with `rpc` of a route. */
  permits(action: Action, name: string): boolean {
    const { row, context } = this;
    const rules = context.settings().permissions;
    const grants = this.auth?.grants;
    if (!row || (rules === undefined && grants === undefined)) return true;
    const { user, tenant } = row;
    const facts = { user, tenant, nowMs: context.now(), rules, grants };
    if (name.startsWith(USER_CHANNEL)) return permits(facts, "direct", name.slice(USER_CHANNEL.length));
    // The own inbox and the like are nobody else's.
    return name.startsWith("~") || permits(facts, action, name);
  }

  // ---- moves --------------------------------------------------------------------------------------------------------------

  async #commit(i: number): Promise<void> {
    const { row, ticket, context } = this;
    if (this.state !== "prepared" || !row || !ticket) {
      this.fail("commit-refused", i);
      return;
    }
    let committed: SessionRow | undefined;
    try {
      committed = await context.broker.commit(row.id, row.g, context.podKey, ticket.id, {
        intent: ticket.intent,
        source: ticket.from,
      });
    } catch {
      // Not known whether it happened; asking again with the same ticket answers that.
      this.fail("unavailable", i);
      return;
    }
    if (!committed) {
      this.fail("commit-refused", i);
      return;
    }
    const { g, channels } = committed;
    this.row = committed;
    if (this.hasClosed()) {
      context.registry.lose(committed, context.now());
      return;
    }
    this.state = "ready";
    context.registry.preparing.delete(row.id);
    this.hold();
    context.metrics.add("wscluster_resumes_total", 1, { way: "moved" });
    await followChannels(this, changesSince(row.channels, channels, this.subscriptions));
    this.send({ t: "commit.ok", i, g });
  }

  hasClosed(): boolean {
    return this.state === "closed";
  }

  /** Channels are sent over this socket. */
  isServing(): boolean {
    return this.state !== "closed" && this.state !== "left";
  }

  /** As the limits count it. */
  holder({ user, tenant }: Pick<SessionRow, "user" | "tenant">): Holder {
    return { user, tenant, address: this.socket.arrival.address ?? "" };
  }

  /** This socket holds the session from now on; another one of this pod that did is fenced. */
  hold(): void {
    const { row, context } = this;
    if (!row) return;
    this.place = placeOf(row);
    const former = context.registry.hold(row.id, this);
    if (former !== this) {
      context.limits?.hold(this.holder(row));
      if (former?.row) context.limits?.release(former.holder(former.row));
    }
    if (this.isStored) context.presence.claim(row);
    if (former && former !== this) former.leave(this.ticket === undefined ? "taken" : "moved");
  }

  /** The session lives elsewhere. After a move the client closes this socket itself; after a take-over nobody is there any more. */
  leave(way: "moved" | "taken"): void {
    const { row, context } = this;
    if (this.state !== "ready" || !row) return;
    this.state = "left";
    this.leftAtMs = context.now();
    if (context.registry.release(row.id, this)) context.limits?.release(this.holder(row));
    context.registry.leaving.add(this);
    context.presence.drop(this.socket);
    // Its client merges both sockets, so it needs nothing more from this one.
    for (const subscription of this.subscriptions.values()) context.hub.detach(subscription);
    this.subscriptions.clear();
    context.moves.left(this);
    if (way === "taken") this.end("takenOver");
  }
}

function isAlwaysTaken(type: ClientFrame["t"]): boolean {
  return type === "pong" || type === "ping" || type === "commit" || type === "migrate.fail";
}
