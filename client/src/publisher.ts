// Publishing: one numbered log per stream, sent in order, asked again after a break, and kept a while after the answer for the case
// that the store loses it. Not here: sockets, and when the connection in use changes (session.ts).
//
// Exactly once rests on (producer, generation, seq): a number is given at the first send and never to another message of that
// generation, the server answers a repeated one with `dup`, and refuses one that comes too early with `out-of-order{last}`.

import type { Position, Producer, WireErrorName } from "@wscluster/protocol";
import { CLIENT_DEFAULTS, isRetryable } from "@wscluster/protocol";
import type { Clock, TimerHandle } from "./clock.ts";
import type { ClientError } from "./errors.ts";
import type { Diagnostics } from "./events.ts";
import { encodePayload, publishError } from "./payload.ts";

/** Where a message was stored. */
export type Published = {
  readonly epoch: string;
  /** 0 when it was stored earlier and the server no longer knows where. */
  readonly offset: number;
  /** It had been stored by an earlier try already. */
  readonly dup: boolean;
};

/** What happens to `publish` while the queue of unsent messages is full. */
export type QueuePolicy = "reject" | "drop-oldest";

export type QueueOptions = {
  /** Most unsent messages over all channels. */
  readonly maxMessages: number;
  readonly policy: QueuePolicy;
};

/** The socket that takes writes. */
export interface Outlet {
  readonly id: number;
  sendText(text: string): void;
}

export interface PublisherHost {
  nextRequestId(): number;
  /** The producer's generation rose: the next `hello` must say so, at once. */
  onGenerationRaised(producer: Producer): void;
}

const MAX_IN_FLIGHT = 64;
const MAX_KEPT = 1_000;
const MAX_RAISES = 3;
const RETRY_MS = 250;
/** How often unanswered messages are looked at; kept ones only have to go some time. */
const SWEEP_MS = { open: 250, kept: 10_000 } as const;

type Entry = {
  readonly json: string;
  resolve: (published: Published) => void;
  reject: (error: unknown) => void;
  /** 0 until the first send. */
  seq: number;
  state: "unanswered" | "stored" | "lost";
  position: Position;
  /** Time of the last send, then of the answer. */
  atMs: number;
  /** Request on the wire, and the socket that it went out on. */
  sent?: { readonly request: number; readonly outlet: number } | undefined;
};

type Stream = {
  readonly channel: string;
  lastSeq: number;
  /** Stored, oldest first: all numbers are below those of `open`. */
  kept: Entry[];
  /** Numbered and not all stored, in order. */
  open: Entry[];
  /** Not numbered yet. */
  readonly queue: Entry[];
  holdUntilMs: number;
};

export class Publisher {
  readonly #host: PublisherHost;
  readonly #clock: Clock;
  readonly #diagnostics: Diagnostics;
  readonly #queue: QueueOptions;
  readonly #streams = new Map<string, Stream>();
  readonly #requests = new Map<number, { readonly stream: Stream; readonly entry: Entry }>();
  #producer: Producer;
  #outlet: Outlet | undefined;
  #timer: TimerHandle | undefined;
  #sweepAtMs = 0;
  #unsent = 0;
  #raising = false;
  /** Generations raised since the last message that was stored. */
  #raises = 0;
  #idle: (() => void)[] = [];
  maxPayloadBytes: number = CLIENT_DEFAULTS.maxPayloadBytes;

  constructor(host: PublisherHost, clock: Clock, diagnostics: Diagnostics, producer: Producer, queue: QueueOptions) {
    this.#host = host;
    this.#clock = clock;
    this.#diagnostics = diagnostics;
    this.#producer = producer;
    this.#queue = queue;
  }

  get producer(): Producer {
    return this.#producer;
  }

  /** Publishes that wait for an answer or to be sent. */
  get pending(): number {
    let open = this.#unsent;
    for (const stream of this.#streams.values()) {
      for (const entry of stream.open) if (entry.state !== "stored") open += 1;
    }
    return open;
  }

  publish(channel: string, data: unknown, signal?: AbortSignal): Promise<Published> {
    const json = encodePayload(channel, data, this.maxPayloadBytes);
    if (typeof json !== "string") return Promise.reject(json);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (!this.#makeRoom()) {
      const why = `${this.#queue.maxMessages} messages wait already; publish slower or raise queue.maxMessages`;
      return Promise.reject(publishError("queue-full", channel, why));
    }
    const stream = this.#stream(channel);
    return new Promise((resolve, reject) => {
      const entry: Entry = {
        json,
        resolve,
        reject,
        seq: 0,
        state: "unanswered",
        position: { epoch: "", offset: 0 },
        atMs: 0,
      };
      stream.queue.push(entry);
      this.#unsent += 1;
      if (signal) this.#bindSignal(signal, stream, entry);
      this.#pump(stream);
    });
  }

  /** Resolves once every publish so far was answered or failed. */
  flushed(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  // ---- sockets ----------------------------------------------------------------------------------------------------------

  /** Writes go to `outlet` from now on; those unanswered on another living socket are waited for, stream by stream. */
  attach(outlet: Outlet): void {
    this.#outlet = outlet;
    this.#pumpAll();
  }

  /** Nothing is sent until the next `attach`; answers are still taken. */
  hold(): void {
    this.#outlet = undefined;
  }

  /** The socket is gone: its unanswered messages are sent again, in order, on the one in use. */
  detach(outletId: number): void {
    if (this.#outlet?.id === outletId) this.#outlet = undefined;
    for (const stream of this.#streams.values()) {
      const first = stream.open.find((entry) => entry.sent?.outlet === outletId);
      if (first) this.#rewind(stream, first.seq);
    }
    this.#pumpAll();
    this.#raiseWhenSettled();
  }

  /** Messages on their way over this socket. */
  outstanding(outletId: number): number {
    let count = 0;
    for (const { entry } of this.#requests.values()) if (entry.sent?.outlet === outletId) count += 1;
    return count;
  }

  // ---- answers ----------------------------------------------------------------------------------------------------------

  /** Takes `pub.ok`; false if the request is not one of ours. */
  onStored(request: number, epoch: string, offset: number, dup: boolean): boolean {
    const known = this.#requests.get(request);
    if (!known) return false;
    const { entry, stream } = known;
    this.#requests.delete(request);
    const republished = entry.state === "lost";
    entry.sent = undefined;
    entry.state = "stored";
    entry.position = { epoch, offset };
    entry.atMs = this.#clock.now();
    this.#raises = 0;
    while (stream.open[0]?.state === "stored") stream.kept.push(stream.open.shift() as Entry);
    if (republished && !dup) {
      this.#diagnostics.counters.republished += 1;
      this.#diagnostics.emit("republished", { channel: stream.channel, position: entry.position });
    } else if (!republished) {
      this.#diagnostics.counters.published += 1;
      entry.resolve({ epoch, offset, dup });
    }
    this.#prune(stream);
    this.#afterAnswer(stream);
    return true;
  }

  /** Takes an `err` that answers a publish; false if the request is not one of ours. */
  onRefused(
    request: number,
    error: { code: WireErrorName; message: string; afterMs?: number; last?: number },
  ): boolean {
    const known = this.#requests.get(request);
    if (!known) return false;
    const { entry, stream } = known;
    if (error.code === "out-of-order") this.#onOutOfOrder(stream, entry, error.last ?? 0);
    else if (error.code === "fenced" && entry.sent?.outlet === this.#outlet?.id) this.#raise(stream);
    else if (error.code === "fenced") this.#rewind(stream, entry.seq);
    else if (isRetryable(error.code)) {
      this.#rewind(stream, entry.seq);
      stream.holdUntilMs = this.#clock.now() + (error.afterMs ?? RETRY_MS);
    } else {
      this.#strike(stream, entry);
      entry.reject(publishError("refused", stream.channel, error.message, { wireCode: error.code }));
    }
    this.#afterAnswer(stream);
    return true;
  }

  #afterAnswer(stream: Stream): void {
    this.#pump(stream);
    this.#raiseWhenSettled();
    this.#noticeIdle();
  }

  /**
   * The life `epoch` began, and of the one before nothing is left above `previous`. What was acknowledged in neither is published
   * again too, with its old numbers: there may have been lives in between that nobody told us of, and what the store has is a `dup`.
   */
  republish(channel: string, previous: Position, epoch: string): void {
    const stream = this.#streams.get(channel);
    if (!stream) return;
    const isSafe = ({ position }: Entry): boolean =>
      position.epoch === epoch || (position.epoch === previous.epoch && position.offset <= previous.offset);
    const first = stream.kept.findIndex((entry) => !isSafe(entry) && !this.#isExpired(entry));
    if (first >= 0) this.#reopen(stream, first);
    this.#pump(stream);
  }

  /**
   * Numbers begin again at 1, for what has no answer yet. To be called also when the server knows us as another user, for whom it
   * has no numbers: taking that for a loss would publish again what was acknowledged.
   */
  renumber(): void {
    for (const stream of this.#streams.values()) {
      stream.kept = [];
      stream.open = stream.open.filter((entry) => entry.state !== "stored");
      stream.lastSeq = 0;
      for (const entry of stream.open) entry.seq = ++stream.lastSeq;
    }
  }

  /** Ends everything with `error`. */
  fail(error: ClientError): void {
    this.#outlet = undefined;
    this.#clock.clearTimer(this.#timer);
    for (const stream of this.#streams.values()) {
      for (const entry of [...stream.open, ...stream.queue]) if (entry.state === "unanswered") entry.reject(error);
    }
    this.#streams.clear();
    this.#requests.clear();
    this.#unsent = 0;
    this.#noticeIdle();
  }

  // ---- sending ----------------------------------------------------------------------------------------------------------

  #pumpAll(): void {
    for (const stream of this.#streams.values()) this.#pump(stream);
  }

  #pump(stream: Stream): void {
    this.#sweepLater(stream);
    const outlet = this.#outlet;
    if (!outlet || this.#raising) return;
    if (this.#clock.now() < stream.holdUntilMs) return;
    // Order: while the former socket still owes answers, a later message of this stream could overtake them.
    let inFlight = 0;
    for (const entry of stream.open) {
      if (!entry.sent) continue;
      if (entry.sent.outlet !== outlet.id) return;
      inFlight += 1;
    }
    for (const entry of stream.open) {
      if (inFlight >= MAX_IN_FLIGHT) return;
      if (entry.state === "stored" || entry.sent) continue;
      this.#send(outlet, stream, entry);
      inFlight += 1;
    }
    while (inFlight < MAX_IN_FLIGHT) {
      const entry = stream.queue.shift();
      if (!entry) return;
      this.#unsent -= 1;
      stream.lastSeq += 1;
      entry.seq = stream.lastSeq;
      stream.open.push(entry);
      this.#send(outlet, stream, entry);
      inFlight += 1;
    }
  }

  #send(outlet: Outlet, stream: Stream, entry: Entry): void {
    const request = this.#host.nextRequestId();
    entry.sent = { request, outlet: outlet.id };
    entry.atMs = this.#clock.now();
    this.#requests.set(request, { stream, entry });
    // The payload was encoded once at `publish`: what the application does to the object afterwards changes nothing.
    outlet.sendText(
      `{"t":"pub","i":${request},"c":${JSON.stringify(stream.channel)},"s":${entry.seq},"d":${entry.json}}`,
    );
  }

  /** Everything from `seq` on counts as not sent: the next pump begins there. */
  #rewind(stream: Stream, seq: number): void {
    for (const entry of stream.open) {
      if (entry.seq < seq || !entry.sent) continue;
      this.#requests.delete(entry.sent.request);
      entry.sent = undefined;
    }
  }

  #onOutOfOrder(stream: Stream, refused: Entry, last: number): void {
    // What came after it was refused as well, so all of it is forgotten, whether the answers arrived or not.
    this.#rewind(stream, Math.min(refused.seq, last + 1));
    const open = stream.open.find((entry) => entry.state !== "stored");
    if (open && open.seq <= last + 1) return;
    // The store went back in time: what we kept closes the hole, under the numbers that it had.
    const first = stream.kept.findIndex((entry) => entry.seq === last + 1 && !this.#isExpired(entry));
    if (first >= 0) this.#reopen(stream, first);
    else this.#raise(stream);
  }

  /** Stored messages from this index of `kept` on are to be stored again. */
  #reopen(stream: Stream, first: number): void {
    const lost = stream.kept.splice(first);
    for (const entry of lost) entry.state = "lost";
    stream.open = [...lost, ...stream.open];
    this.#rewind(stream, lost[0]?.seq ?? 0);
  }

  /** Takes a refused message out; those after it move up, for the server stored none of them. */
  #strike(stream: Stream, entry: Entry): void {
    this.#rewind(stream, entry.seq);
    const at = stream.open.indexOf(entry);
    stream.open.splice(at, 1);
    for (const later of stream.open.slice(at)) later.seq -= 1;
    stream.lastSeq -= 1;
  }

  // ---- a server that forgot us ------------------------------------------------------------------------------------------

  // Only `hello` carries the generation, so it is raised for all streams at once. First the others' answers are awaited: a message
  // whose answer is on its way would be stored a second time under the new generation.
  #raise(stream: Stream): void {
    this.#rewind(stream, 0);
    if (this.#raises < MAX_RAISES) {
      this.#raising = true;
      return;
    }
    // Someone else uses this producer id: two that raise against each other would never end.
    const error = publishError("refused", stream.channel, "another client publishes under this producer id", {
      wireCode: "fenced",
    });
    for (const entry of stream.open.splice(0)) if (entry.state === "unanswered") entry.reject(error);
  }

  #raiseWhenSettled(): void {
    if (!this.#raising || this.#requests.size > 0) return;
    this.#raising = false;
    this.#raises += 1;
    this.#producer = { id: this.#producer.id, gen: this.#producer.gen + 1 };
    this.renumber();
    this.#outlet = undefined;
    this.#diagnostics.emit("producer-generation", { generation: this.#producer.gen });
    this.#host.onGenerationRaised(this.#producer);
  }

  // ---- housekeeping -----------------------------------------------------------------------------------------------------

  #sweepLater(stream: Stream): void {
    const isOpen = stream.open.length + stream.queue.length > 0;
    if (!isOpen && stream.kept.length === 0) return;
    const delayMs = isOpen ? SWEEP_MS.open : SWEEP_MS.kept;
    const atMs = this.#clock.now() + delayMs;
    if (this.#timer !== undefined && this.#sweepAtMs <= atMs) return;
    this.#clock.clearTimer(this.#timer);
    this.#sweepAtMs = atMs;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#sweep();
    }, delayMs);
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const stream of this.#streams.values()) {
      this.#prune(stream);
      const oldest = stream.open.find((entry) => entry.sent);
      if (oldest?.sent?.outlet === this.#outlet?.id && oldest && now - oldest.atMs > CLIENT_DEFAULTS.requestTimeoutMs) {
        this.#rewind(stream, oldest.seq);
      }
      this.#pump(stream);
    }
    this.#raiseWhenSettled();
  }

  #isExpired(entry: Entry): boolean {
    return this.#clock.now() - entry.atMs > CLIENT_DEFAULTS.republishKeepMs;
  }

  #prune(stream: Stream): void {
    let drop = Math.max(0, stream.kept.length - MAX_KEPT);
    for (let entry = stream.kept[drop]; entry && this.#isExpired(entry); entry = stream.kept[drop]) drop += 1;
    if (drop > 0) stream.kept.splice(0, drop);
  }

  #stream(channel: string): Stream {
    const known = this.#streams.get(channel);
    if (known) return known;
    const stream: Stream = { channel, lastSeq: 0, kept: [], open: [], queue: [], holdUntilMs: 0 };
    this.#streams.set(channel, stream);
    return stream;
  }

  #makeRoom(): boolean {
    if (this.#unsent < this.#queue.maxMessages) return true;
    if (this.#queue.policy === "reject") return false;
    const victim = [...this.#streams.values()].find((stream) => stream.queue.length > 0);
    const entry = victim?.queue.shift();
    if (!victim || !entry) return false;
    this.#unsent -= 1;
    entry.reject(publishError("queue-dropped", victim.channel, "the queue is full and a newer message came"));
    return true;
  }

  #bindSignal(signal: AbortSignal, stream: Stream, entry: Entry): void {
    const abort = (): void => {
      // Unsent: it is taken back. Sent: only the waiting ends, the message may be stored.
      const at = stream.queue.indexOf(entry);
      if (at >= 0) {
        stream.queue.splice(at, 1);
        this.#unsent -= 1;
      }
      entry.reject(signal.reason);
      this.#noticeIdle();
    };
    signal.addEventListener("abort", abort, { once: true });
    const settle = <T>(next: (value: T) => void): ((value: T) => void) => {
      return (value) => {
        signal.removeEventListener("abort", abort);
        next(value);
      };
    };
    entry.resolve = settle(entry.resolve);
    entry.reject = settle(entry.reject);
  }

  #noticeIdle(): void {
    if (this.#idle.length === 0 || this.pending > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
