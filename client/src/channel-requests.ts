// Which channels each socket serves, and asking for those that it does not. Not here: what they deliver (subscriptions.ts).

import type { Position, WireErrorName } from "@wscluster/protocol";
import { isRetryable } from "@wscluster/protocol";
import type { Clock } from "./clock.ts";
import { ClientError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { Subscriptions } from "./subscriptions.ts";

const RETRY_MS = 250;

export interface ChannelRequestsHost {
  nextRequestId(): number;
  /** The socket that takes requests now; `undefined` while there is none, or while a commit is on its way. */
  outlet(): Link | undefined;
}

export class ChannelRequests {
  readonly #host: ChannelRequestsHost;
  readonly #clock: Clock;
  readonly #subscriptions: Subscriptions;
  readonly #asking = new Map<number, { readonly channel: string; readonly link: Link }>();

  constructor(host: ChannelRequestsHost, clock: Clock, subscriptions: Subscriptions) {
    this.#host = host;
    this.#clock = clock;
    this.#subscriptions = subscriptions;
  }

  /** Asks for every channel that the connection in use does not serve yet. */
  askMissing(): void {
    const link = this.#host.outlet();
    if (!link?.isReady) return;
    const asking = new Set([...this.#asking.values()].filter((ask) => ask.link === link).map((ask) => ask.channel));
    for (const channel of this.#subscriptions.names()) {
      if (!link.feeds.has(channel) && !asking.has(channel)) this.#ask(link, channel);
    }
  }

  #ask(link: Link, c: string): void {
    const from: Position | undefined = this.#subscriptions.position(c);
    const i = this.#host.nextRequestId();
    this.#asking.set(i, { channel: c, link });
    if (from) link.asked.set(c, from);
    else link.asked.delete(c);
    link.send({ t: "sub", i, c, ...(from ? { from } : {}) });
  }

  /** The application left the channel. */
  leave(channel: string): void {
    const link = this.#host.outlet();
    // Not confirmed yet: the `sub.ok` of a channel that nobody wants is answered with `unsub` by `dropUnwanted`.
    if (link?.isReady && link.feeds.has(channel)) this.#unsubscribe(link, channel);
  }

  /** Tells the socket to stop what nobody here wants: the session's row may be older than the application's mind. */
  dropUnwanted(link: Link, channels: Iterable<string>): void {
    for (const channel of channels) if (!this.#subscriptions.has(channel)) this.#unsubscribe(link, channel);
  }

  #unsubscribe(link: Link, c: string): void {
    link.feeds.delete(c);
    link.asked.delete(c);
    link.send({ t: "unsub", i: this.#host.nextRequestId(), c });
  }

  onSubscribed(i: number): void {
    this.#asking.delete(i);
  }

  /** Takes an `err`; it is not ours if the request is unknown. */
  onRefused(link: Link, i: number, error: { code: WireErrorName; message: string; afterMs?: number }): void {
    const ask = this.#asking.get(i);
    if (!ask) return;
    this.#asking.delete(i);
    if (isRetryable(error.code)) {
      this.#clock.setTimer(() => this.askMissing(), error.afterMs ?? RETRY_MS);
      return;
    }
    link.asked.delete(ask.channel);
    const text = `cannot subscribe to "${ask.channel}": ${error.message}`;
    this.#subscriptions.refuse(ask.channel, new ClientError("refused", text, { wireCode: error.code }));
  }

  onDown(link: Link): void {
    for (const [i, ask] of this.#asking) if (ask.link === link) this.#asking.delete(i);
  }
}
