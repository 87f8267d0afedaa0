// The client's one session: which socket is the connection, when the next one is opened, and who gets each frame. Not here: what a
// publish, a channel or a move needs (publisher.ts, subscriptions.ts, move.ts).

import type { MigrateFrame, ServerFrame, WelcomeFrame } from "@wscluster/protocol";
import { CLOSE, CLIENT_DEFAULTS } from "@wscluster/protocol";
import { ChannelRequests } from "./channel-requests.ts";
import { BROKEN, Comeback } from "./comeback.ts";
import { ClientError } from "./errors.ts";
import { Diagnostics } from "./events.ts";
import type { HelloFacts } from "./hello.ts";
import { helloFor, namedUrl, prepareHelloFor, withoutTicket } from "./hello.ts";
import type { LinkHost } from "./link.ts";
import { Link } from "./link.ts";
import type { ConnectionEvent, ConnectionState } from "./machine.ts";
import { isTerminal, stateAfter } from "./machine.ts";
import type { MoveHost } from "./move.ts";
import { Move } from "./move.ts";
import type { SessionIdentity, Settings } from "./options.ts";
import { Publisher } from "./publisher.ts";
import type { Answer, Unnumbered } from "./requests.ts";
import { pageOf, Requests } from "./requests.ts";
import { Subscriptions } from "./subscriptions.ts";

/** How the next attempt goes: to a named pod, or to any with the ticket so that the failed move is counted. */
type Way = { readonly url?: string; readonly ticket: string };

export class Session {
  readonly diagnostics: Diagnostics;
  readonly subscriptions: Subscriptions;
  readonly publisher: Publisher;
  readonly requests: Requests;
  /** Hear every frame of the connection in use. */
  readonly taps = new Set<(frame: ServerFrame) => void>();
  readonly #settings: Settings;
  readonly #linkHost: LinkHost;
  readonly #moveHost: MoveHost;
  readonly #channels: ChannelRequests;
  readonly #comeback: Comeback;
  #state: ConnectionState = "idle";
  #primary: Link | undefined;
  #move: Move | undefined;
  #nextMigrate: MigrateFrame | undefined;
  identity: SessionIdentity | undefined;
  /** What to ask to be called. */
  #user: string | undefined;
  /** What the server calls us. */
  #knownAs: string | undefined;
  #token: string | undefined;
  #way: Way | undefined;
  #links = 0;
  #requestIds = 0;
  readonly nextRequestId = (): number => (this.#requestIds += 1);
  #ready: { resolve(): void; reject(error: ClientError): void }[] = [];
  /** Why the client is over. */
  failure: ClientError | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { clock } = settings;
    this.diagnostics = new Diagnostics(() => clock.now());
    const { nextRequestId } = this;
    this.requests = new Requests(clock, nextRequestId);
    const publisherHost = { nextRequestId, onGenerationRaised: () => this.#sayHelloAgain() };
    this.publisher = new Publisher(publisherHost, clock, this.diagnostics, settings.producer, settings.queue);
    this.subscriptions = new Subscriptions(
      {
        sendSubscribe: () => this.#channels.askMissing(),
        sendUnsubscribe: (channel) => this.#channels.leave(channel),
        fetch: (channel, from, n) => pageOf(this.ask({ t: "fetch", c: channel, from, n })),
        onLost: (channel, previous, epoch) => this.publisher.republish(channel, previous, epoch),
      },
      this.diagnostics,
    );
    const outlet = (): Link | undefined => {
      const link = this.#primary;
      return link?.welcome && !link.isDown && !this.#move?.isCommitting ? link : undefined;
    };
    this.#channels = new ChannelRequests({ nextRequestId, outlet }, clock, this.subscriptions);
    this.#comeback = new Comeback({
      ...settings,
      diagnostics: this.diagnostics,
      canRefreshToken: typeof settings.token === "function",
      retry: () => {
        if (this.#go("retry")) void this.#connect();
      },
    });
    this.#user = settings.user;
    this.identity = settings.identity;
    this.#linkHost = {
      nextRequestId,
      onOpen: (link) => this.#onOpen(link),
      onFrame: (link, frame) => this.#onFrame(link, frame),
      onDown: (link, code, reason) => this.#onDown(link, code, reason),
      onSilence: (silentMs) => {
        const { counters } = this.diagnostics;
        counters.longestSilenceMs = Math.max(counters.longestSilenceMs, silentMs);
      },
    };
    this.#moveHost = this.#moveHostFor(nextRequestId);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** KEY of the pod that the session lives on, as far as known. */
  get pod(): string | undefined {
    return this.#primary?.pod;
  }

  get user(): string | undefined {
    return this.#knownAs;
  }

  start(): void {
    this.#go("start");
    void this.#connect();
  }

  /** Resolves when live; rejects once the client is closed or gave up. */
  whenLive(): Promise<void> {
    if (this.#state === "live") return Promise.resolve();
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => this.#ready.push({ resolve, reject }));
  }

  close(): void {
    this.#end("stop", new ClientError("closed", "cannot go on: the client was closed; connect again"), CLOSE.normal);
  }

  /** Asks over the connection in use; `undefined` when there is none to take it. Rejects with `timeout` when no answer comes. */
  ask(question: Unnumbered, timeoutMs?: number): Promise<Answer> | undefined {
    const link = this.#primary;
    return link?.welcome && !link.isDown ? this.requests.ask(link, question, timeoutMs) : undefined;
  }

  /** A moment before something is asked again. */
  pause(): Promise<void> {
    return new Promise((resolve) => void this.#settings.clock.setTimer(resolve, 250));
  }

  /** False when there is no connection to take it. */
  sendEphemeral(text: string): boolean {
    const link = this.#primary;
    // While a commit is on its way nobody can say which pod would take it.
    if (!link?.welcome || link.isDown || this.#move?.isCommitting) return false;
    link.sendText(text);
    return true;
  }

  /** The machine woke up or the network changed. */
  wake(): void {
    this.#primary?.probe();
    this.#comeback.hurry();
  }

  // ---- connecting -------------------------------------------------------------------------------------------------------

  async #connect(): Promise<void> {
    const { token } = this.#settings;
    const links = this.#links;
    if (typeof token === "function") {
      try {
        this.#token = await token();
      } catch {
        if (this.#state === "connecting" && links === this.#links) this.#lost("no token", BROKEN);
        return;
      }
      if (this.#state !== "connecting" || links !== this.#links) return;
    } else if (typeof token === "string") this.#token = token;
    const url = this.#way?.url ?? this.#settings.url;
    this.diagnostics.counters.attempts += 1;
    this.#primary = this.#openLink(url, this.identity ? "resume" : "new");
  }

  #openLink(url: string, purpose: "new" | "resume" | "move"): Link {
    this.#links += 1;
    this.diagnostics.emit("connecting", { url: withoutTicket(url), attempt: this.#comeback.attempt, purpose });
    const { clock, webSocket, connectTimeoutMs } = this.#settings;
    return new Link(this.#linkHost, { id: this.#links, url, clock, webSocket, deadlineMs: connectTimeoutMs });
  }

  #onOpen(link: Link): void {
    if (link === this.#move?.candidate) return this.#move.onOpen();
    if (link !== this.#primary || !this.#go("opened")) return;
    link.send(helloFor(this.#factsFor(link, this.#way?.ticket)));
  }

  #factsFor(link: Link, ticket: string | undefined): HelloFacts {
    const channels = this.subscriptions.names().map((c) => [c, this.subscriptions.position(c)] as const);
    for (const [c, position] of channels) if (position) link.asked.set(c, position);
    const { device, instance } = this.#settings;
    const { producer } = this.publisher;
    return {
      token: this.#token,
      user: this.#user,
      device,
      instance,
      producer,
      identity: this.identity,
      caps: link.caps,
      ticket,
      channels,
    };
  }

  #onWelcome(link: Link, frame: WelcomeFrame): void {
    if (!this.#go("welcomed")) return;
    const wasKnown = this.identity !== undefined;
    if (frame.secret !== undefined) this.identity = { session: frame.session, secret: frame.secret };
    if (this.#knownAs !== undefined && this.#knownAs !== frame.user) this.publisher.renumber();
    this.#knownAs = frame.user;
    // An anonymous user keeps the name that the server gave: publishers are told apart by it.
    if (this.#token === undefined) this.#user = frame.user;
    this.#way = undefined;
    this.publisher.maxPayloadBytes = frame.maxPayloadBytes || CLIENT_DEFAULTS.maxPayloadBytes;
    this.#comeback.onWelcome();
    const { counters } = this.diagnostics;
    if (wasKnown || this.#comeback.isDark) {
      counters.reconnects += 1;
      if (frame.resumed) counters.resumes += 1;
      else counters.newSessions += 1;
    }
    const darkMs = this.#comeback.endDark();
    if (frame.resumed) this.diagnostics.emit("resumed", { pod: frame.pod, darkMs });
    this.publisher.attach(link);
  }

  #onReady(link: Link): void {
    link.isReady = true;
    this.#channels.askMissing();
    if (!this.#go("ready")) return;
    this.diagnostics.emit("ready", { pod: link.pod ?? "" });
    for (const waiting of this.#ready.splice(0)) waiting.resolve();
  }

  // ---- frames -----------------------------------------------------------------------------------------------------------

  #onFrame(link: Link, frame: ServerFrame): void {
    const isPrimary = link === this.#primary;
    const move = this.#move;
    if (frame.t === "sub.ok") {
      this.#channels.onSubscribed(frame.i);
      if (isPrimary) this.#channels.dropUnwanted(link, [frame.c]);
    }
    switch (frame.t) {
      case "pub.ok":
        this.publisher.onStored(frame.i, frame.e, frame.o, frame.dup === true);
        break;
      case "err":
        this.#onError(link, frame);
        break;
      case "migrate":
        if (isPrimary) this.#onMigrate(link, frame);
        break;
      case "pace":
        this.#comeback.onWindow(frame, frame.forMs);
        this.diagnostics.emit("pace", { minMs: frame.minMs, maxMs: frame.maxMs, forMs: frame.forMs });
        break;
      case "bye":
        if (isPrimary) this.#comeback.onWindow(frame);
        break;
      case "welcome": {
        const { pod, session, g: generation, resumed, prepared } = frame;
        this.diagnostics.emit("welcome", { pod, session, generation, resumed, prepared });
        if (isPrimary) this.#onWelcome(link, frame);
        break;
      }
      case "ready":
        if (isPrimary) this.#onReady(link);
        break;
      case "unsubscribed":
        this.subscriptions.refuse(frame.c, new ClientError("refused", frame.why));
        break;
      default:
        if ("i" in frame && this.requests.onAnswer(frame)) break;
        // What channels bring. Ephemerals come once at most: around a commit both pods may send them, so neither is taken.
        this.subscriptions.receive(frame, link, isPrimary && !move?.isCommitting);
    }
    if (move && link === move.candidate) move.onFrame(frame);
    move?.advance();
    if (isPrimary) for (const tap of this.taps) tap(frame);
  }

  #onError(link: Link, frame: Extract<ServerFrame, { t: "err" }>): void {
    if (frame.i === undefined || this.publisher.onRefused(frame.i, frame) || this.requests.onAnswer(frame)) return;
    this.#channels.onRefused(link, frame.i, frame);
  }

  // ---- moving -----------------------------------------------------------------------------------------------------------

  #onMigrate(source: Link, frame: MigrateFrame): void {
    if (!this.identity || isTerminal(this.#state)) return;
    const current = this.#move;
    if (current?.isCommitting) return;
    if (current?.phase === "settling") {
      this.#nextMigrate = frame;
      return;
    }
    if (current) {
      current.abandon();
      this.#moveFailed(current, "replaced");
    }
    this.diagnostics.emit("migrate-start", {
      id: frame.id,
      from: source.pod ?? "",
      to: frame.pod,
      reason: frame.reason,
      deadlineMs: frame.deadlineMs,
    });
    const url = namedUrl(this.#settings.url, frame);
    this.#move = new Move(this.#moveHost, this.#settings.clock, frame, source, this.#openLink(url, "move"));
  }

  #moveHostFor(nextRequestId: () => number): MoveHost {
    const { diagnostics, publisher, subscriptions } = this;
    const { counters } = diagnostics;
    return {
      nextRequestId,
      sendPrepare: (candidate, ticket) => {
        candidate.send(prepareHelloFor(this.#factsFor(candidate, ticket)));
      },
      hasCaughtUp: (candidate) => subscriptions.hasCaughtUp(candidate.feeds, [...candidate.asked.keys()]),
      onPrepared: (move) => diagnostics.emit("prepared", { id: move.frame.id, pod: move.candidate.pod ?? "" }),
      onCommitting: () => publisher.hold(),
      onCommitted: (move, generation, heldMs) => {
        const link = move.candidate;
        counters.moves += 1;
        this.#primary = link;
        link.isReady = true;
        if (this.#comeback.isDark) this.#comeback.endDark();
        else diagnostics.dark(heldMs);
        diagnostics.emit("committed", { id: move.frame.id, pod: link.pod ?? "", generation, heldMs });
        subscriptions.adopt(link.feeds);
        publisher.attach(link);
        this.#channels.dropUnwanted(link, [...link.feeds.keys()]);
        this.#onReady(link);
      },
      isSettled: (move) =>
        publisher.outstanding(move.source.id) === 0 &&
        this.requests.outstanding(move.source) === 0 &&
        subscriptions.names().every((channel) => move.candidate.feeds.has(channel)),
      onSettled: (move, tookMs) => {
        this.#move = undefined;
        const { source, candidate } = move;
        if (!source.isDown) {
          source.close();
          const { pod } = source;
          diagnostics.emit("socket-closed", {
            pod,
            code: CLOSE.normal,
            reason: "moved",
            byClient: true,
            role: "leaving",
          });
        }
        this.#forget(source);
        diagnostics.emit("moved", { id: move.frame.id, from: source.pod ?? "", to: candidate.pod ?? "", tookMs });
        const next = this.#nextMigrate;
        this.#nextMigrate = undefined;
        if (next && !candidate.isDown) this.#onMigrate(candidate, next);
      },
      onFailed: (move, why) => {
        this.#moveFailed(move, why);
        const { source } = move;
        if (source.isDown) {
          this.#way = { ticket: move.frame.ticket };
          this.#lost("the move failed", BROKEN, 0);
          return;
        }
        source.send({ t: "migrate.fail", id: move.frame.id, why });
        if (source.welcome) publisher.attach(source);
        this.#channels.askMissing();
      },
      onUnknown: (move) => {
        this.#moveFailed(move, "unknown");
        this.#way = { ticket: move.frame.ticket };
        this.#leave("commit unanswered", 0);
      },
    };
  }

  #moveFailed(move: Move, why: string): void {
    this.#move = undefined;
    this.diagnostics.counters.movesFailed += 1;
    this.diagnostics.emit("migrate-failed", { id: move.frame.id, why });
  }

  // ---- breaks -----------------------------------------------------------------------------------------------------------

  #onDown(link: Link, code: number, reason: string): void {
    const move = this.#move;
    const role = link === this.#primary ? "primary" : link === move?.candidate ? "candidate" : "leaving";
    this.diagnostics.emit("socket-closed", { pod: link.pod, code, reason, byClient: false, role });
    if (move && link === move.source && link !== this.#primary) {
      this.#forget(link);
      move.onSourceDown();
      return;
    }
    if (link !== this.#primary) {
      move?.onCandidateDown();
      return;
    }
    this.#forget(link);
    this.#primary = undefined;
    if (move?.source === link) {
      const ticket = move.frame.ticket;
      this.#comeback.beginDark();
      if (move.onSourceDown()) {
        this.#go("orphaned");
        return;
      }
      this.#moveFailed(move, "source-lost");
      this.#way = { url: namedUrl(this.#settings.url, move.frame), ticket };
      this.#lost(reason, code, 0);
      return;
    }
    if (move) {
      // The new home is lost while the old socket was still being left: nothing is there to stay on.
      this.#move = undefined;
      move.abandon();
      move.source.close();
      this.#forget(move.source);
    }
    this.#lost(reason, code);
  }

  /** Answers of this socket will not come any more. */
  #forget(link: Link): void {
    this.#channels.onDown(link);
    this.requests.onDown(link);
    this.publisher.detach(link.id);
  }

  /** Leaves every socket on purpose, to come back with a resume. */
  #leave(reason: string, delayMs: number): void {
    for (const link of this.#closeAll(CLOSE.backoff)) this.#forget(link);
    this.#lost(reason, BROKEN, delayMs);
  }

  #closeAll(code: number): Set<Link> {
    const move = this.#move;
    const links = new Set([this.#primary, move?.candidate, move?.source].filter((link) => link !== undefined));
    move?.abandon();
    this.#move = undefined;
    this.#primary = undefined;
    for (const link of links) link.close(code);
    return links;
  }

  #lost(reason: string, code: number, delayMs?: number): void {
    const { diagnostics } = this;
    const before = this.#state;
    const wasOpen = before === "live" || before === "restoring";
    if (wasOpen) {
      diagnostics.counters.disconnects += 1;
      diagnostics.emit("disconnect", { code, reason });
    }
    this.#nextMigrate = undefined;
    this.subscriptions.forgetHeld();
    const prospect = this.#comeback.prospectAfter(code);
    if (prospect === "refused" || prospect === "given-up") {
      const why = `the server closed with ${code}${reason ? ` (${reason})` : ""}`;
      const text = `cannot stay connected: ${prospect === "refused" ? why : "the give-up policy fired"}`;
      this.#end("refuse", new ClientError("given-up", text), code);
      return;
    }
    if (prospect === "new-session") this.identity = undefined;
    if (!this.#go("lost")) return;
    this.#comeback.beginDark();
    // The named pod was tried once; after that any pod will do, and the ticket only says that a move failed.
    if (!wasOpen && this.#way?.url) this.#way = { ticket: this.#way.ticket };
    this.#comeback.wait(code, delayMs, before === "connecting");
  }

  /** The publisher's generation rose, and only `hello` can say so. */
  #sayHelloAgain(): void {
    if (this.#primary || this.#move) this.#leave("new generation", 0);
  }

  #end(event: "stop" | "refuse", error: ClientError, code: number): void {
    if (!this.#go(event)) return;
    this.failure = error;
    this.#comeback.stop();
    for (const link of this.#closeAll(CLOSE.normal)) this.requests.onDown(link);
    if (event === "refuse") this.diagnostics.emit("given-up", { why: error.message, code });
    this.publisher.fail(error);
    this.subscriptions.endAll(error);
    for (const waiting of this.#ready.splice(0)) waiting.reject(error);
  }

  #go(event: ConnectionEvent): boolean {
    const from = this.#state;
    const to = stateAfter(from, event);
    if (!to) return false;
    this.#state = to;
    this.diagnostics.emit("state", { from, to });
    return true;
  }
}
