// Judges a run from what its clients saw: nothing lost, duplicated, reordered or forked. Pure: no clock, no I/O.
// Who should have received what follows from the streams themselves (offsets have no holes), not from what a test meant to send.
import { EMPTY_HASH, extendHash, formatHash, isSameHash, type ChainedHash } from "./chained-hash.ts";
import type { Acknowledged, Example, Fault, Published, Received, Subscribed, TimeSpan, Verdict } from "./evidence.ts";
import { StreamBook } from "./stream-book.ts";
import { SubscriptionLog } from "./subscription-log.ts";

const AVAILABLE_WITHIN_MS = 1_000;
const MIN_PUBLISHERS = 2;
const EXAMPLES_PER_FAULT = 10;

export type OracleOptions = {
  /** Channels with fewer publishers say too little about order; default 2. */
  readonly minPublishersPerChannel?: number;
  /** Channels without a witness make the verdict weak; default 0, as small tests have none. */
  readonly minWitnessesPerChannel?: number;
};

type Publish = { readonly channel: string; readonly at: number; ackedAt: number | undefined };

export class Oracle {
  readonly #options: Required<OracleOptions>;
  readonly #books = new Map<string, StreamBook>();
  readonly #logs = new Map<string, Map<string, SubscriptionLog>>();
  readonly #publishes = new Map<string, Publish>();
  readonly #publishers = new Map<string, Set<string>>();
  readonly #counts: Record<Fault, number> = { lost: 0, duplicated: 0, reordered: 0, forked: 0 };
  readonly #examples: Example[] = [];
  #delivered = 0;

  constructor(options: OracleOptions = {}) {
    this.#options = {
      minPublishersPerChannel: options.minPublishersPerChannel ?? MIN_PUBLISHERS,
      minWitnessesPerChannel: options.minWitnessesPerChannel ?? 0,
    };
  }

  subscribed(event: Subscribed): void {
    const clients = this.#logs.get(event.channel) ?? new Map<string, SubscriptionLog>();
    clients.set(event.client, new SubscriptionLog(event.client, event.channel, event.after));
    this.#logs.set(event.channel, clients);
  }

  /** The client gave its subscription up; what is published from here on is not for it. */
  left(client: string, channel: string): void {
    this.#logs.get(channel)?.get(client)?.leave();
  }

  /** The client's session never left one socket, or it read the store: its log is independent of any move. */
  attest(client: string): void {
    for (const clients of this.#logs.values()) clients.get(client)?.attest();
  }

  /** Faults seen so far; what is still missing is known only at the verdict. */
  get faults(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
  }

  /** Highest offset of a stream that anybody reported. */
  topOf(channel: string): number {
    return this.#books.get(channel)?.top ?? 0;
  }

  /** Subscriptions that have not received all that is known to be in their streams. */
  behind(): number {
    let count = 0;
    for (const [channel, clients] of this.#logs) {
      const top = this.#book(channel).top;
      for (const log of clients.values()) if (!log.hasLeft && (log.cursor < top || log.missing.size > 0)) count += 1;
    }
    return count;
  }

  published(event: Published): void {
    this.#publishes.set(event.id, { channel: event.channel, at: event.at, ackedAt: undefined });
    const publishers = this.#publishers.get(event.channel) ?? new Set<string>();
    publishers.add(event.publisher);
    this.#publishers.set(event.channel, publishers);
  }

  acknowledged(event: Acknowledged): void {
    const publish = this.#publishes.get(event.id);
    if (publish) publish.ackedAt ??= event.at;
    if (event.offset <= 0) return;
    const answer = this.#book(event.channel).enter(event.offset, event.id);
    if (answer.kind === "fork")
      this.#found(
        "forked",
        "publisher",
        event.channel,
        event.offset,
        `${event.id} was acknowledged, ${answer.other} is there`,
      );
    if (answer.kind === "repeat")
      this.#found("duplicated", "publisher", event.channel, event.offset, `${event.id} is also at ${answer.first}`);
  }

  received(event: Received): void {
    const log = this.#logs.get(event.channel)?.get(event.client);
    const { client, channel, offset, id } = event;
    if (!log) {
      this.#found("forked", client, channel, offset, `${id} was delivered without a subscription`);
      return;
    }
    this.#delivered += 1;
    const arrival = log.take(offset, id);
    if (offset <= log.after)
      this.#found(
        "duplicated",
        client,
        channel,
        offset,
        `${id} is older than the subscription, which began after ${log.after}`,
      );
    else if (arrival === "repeated") this.#found("duplicated", client, channel, offset, `${id} came twice`);
    else if (arrival === "late")
      this.#found("reordered", client, channel, offset, `${id} came after offset ${log.cursor}`);
    const answer = this.#book(channel).enter(offset, id);
    if (answer.kind === "fork") this.#found("forked", client, channel, offset, `${id} here, ${answer.other} elsewhere`);
    // Asked of the book, not of the answer: every subscriber that is given the second copy counts.
    const first = this.#book(channel).offsetOf(id);
    if (answer.kind !== "fork" && first !== undefined && first !== offset && arrival !== "repeated")
      this.#found("duplicated", client, channel, offset, `${id} is also at ${first}`);
    else if (arrival === "next" || arrival === "after-hole") {
      if (!log.isInPublisherOrder(event.publisher, event.seq))
        this.#found("reordered", client, channel, offset, `${id} came after a later message of ${event.publisher}`);
    }
  }

  /** @param faults spans in which publishes are not counted for availability. */
  verdict(faults: readonly TimeSpan[] = []): Verdict {
    const counts = { ...this.#counts };
    const examples = [...this.#examples];
    const lose = (log: SubscriptionLog, offset: number): void => {
      counts.lost += 1;
      if (counts.lost <= EXAMPLES_PER_FAULT) {
        const id = this.#books.get(log.channel)?.idAt(offset);
        const what = id === undefined ? "nobody has it, and later ones exist" : `${id} never arrived`;
        examples.push({ fault: "lost", client: log.client, channel: log.channel, offset, what });
      }
    };
    const hashes = new Map<string, string>();
    let expected = 0;
    for (const [channel, clients] of this.#logs) {
      const book = this.#book(channel);
      const chains = new Map<number, ReadonlyMap<number, ChainedHash>>();
      for (const log of clients.values()) {
        const end = log.hasLeft ? log.cursor : Math.max(book.top, log.cursor);
        expected += Math.max(0, end - log.after);
        for (const hole of log.missing) lose(log, hole);
        for (let offset = log.cursor + 1; offset <= end; offset += 1) lose(log, offset);
        const chain = chains.get(log.after) ?? chainFrom(book, log.after);
        chains.set(log.after, chain);
        const wanted = chain.get(log.cursor) ?? EMPTY_HASH;
        // A hash that differs although no single check fired would be a hole in this oracle: it must not pass in silence.
        if (!isSameHash(wanted, log.hash) && Object.values(counts).every((count) => count === 0)) {
          counts.forked += 1;
          examples.push({ fault: "forked", client: log.client, channel, offset: log.cursor, what: "its hash differs" });
        }
      }
      const base = Math.min(...[...clients.values()].map((log) => log.after));
      hashes.set(channel, formatHash((chains.get(base) ?? chainFrom(book, base)).get(book.top) ?? EMPTY_HASH));
    }
    for (const [id, publish] of this.#publishes) {
      // `dup` without a position is an acknowledgement too: the message has to be somewhere.
      if (publish.ackedAt === undefined || this.#book(publish.channel).offsetOf(id) !== undefined) continue;
      counts.lost += 1;
      if (counts.lost <= EXAMPLES_PER_FAULT)
        examples.push({
          fault: "lost",
          client: "publisher",
          channel: publish.channel,
          offset: 0,
          what: `${id} was acknowledged, nobody has it`,
        });
    }
    const availability = this.#availability(faults);
    const weak = this.#weakness();
    const subscriptions = [...this.#logs.values()].reduce((sum, clients) => sum + clients.size, 0);
    return {
      ...counts,
      ok: Object.values(counts).every((count) => count === 0) && weak.length === 0,
      channels: this.#logs.size,
      subscriptions,
      witnesses: [...this.#logs.values()].reduce((sum, clients) => sum + witnessesOf(clients), 0),
      published: this.#publishes.size,
      acknowledged: availability.acknowledged,
      unanswered: this.#publishes.size - availability.acknowledged,
      delivered: this.#delivered,
      expected,
      availabilityPercent: availability.percent,
      hashes,
      weak,
      examples,
    };
  }

  #availability(faults: readonly TimeSpan[]): { readonly acknowledged: number; readonly percent: number } {
    let counted = 0;
    let quick = 0;
    let acknowledged = 0;
    for (const { at, ackedAt } of this.#publishes.values()) {
      if (ackedAt !== undefined) acknowledged += 1;
      if (faults.some((fault) => at >= fault.from && at <= fault.to)) continue;
      counted += 1;
      if (ackedAt !== undefined && ackedAt - at <= AVAILABLE_WITHIN_MS) quick += 1;
    }
    return { acknowledged, percent: counted === 0 ? 100 : (quick / counted) * 100 };
  }

  #weakness(): string[] {
    const weak: string[] = [];
    if (this.#delivered === 0) weak.push("nothing was delivered");
    const { minPublishersPerChannel, minWitnessesPerChannel } = this.#options;
    for (const [channel, clients] of this.#logs) {
      const publishers = this.#publishers.get(channel)?.size ?? 0;
      if (publishers < minPublishersPerChannel) weak.push(`${channel} had ${publishers} publishers`);
      const witnesses = witnessesOf(clients);
      if (witnesses < minWitnessesPerChannel) weak.push(`${channel} had ${witnesses} witnesses`);
    }
    return weak;
  }

  #book(channel: string): StreamBook {
    const known = this.#books.get(channel);
    if (known) return known;
    const book = new StreamBook();
    this.#books.set(channel, book);
    return book;
  }

  #found(fault: Fault, client: string, channel: string, offset: number, what: string): void {
    this.#counts[fault] += 1;
    if (this.#counts[fault] <= EXAMPLES_PER_FAULT) this.#examples.push({ fault, client, channel, offset, what });
  }
}

function witnessesOf(clients: ReadonlyMap<string, SubscriptionLog>): number {
  return [...clients.values()].filter((log) => log.isWitness).length;
}

/** Hash at each offset for a reader who began after `after`. */
function chainFrom(book: StreamBook, after: number): ReadonlyMap<number, ChainedHash> {
  const chain = new Map<number, ChainedHash>();
  let hash = EMPTY_HASH;
  for (let offset = after + 1; offset <= book.top; offset += 1) {
    const id = book.idAt(offset);
    if (id === undefined) break;
    hash = extendHash(hash, offset, id);
    chain.set(offset, hash);
  }
  return chain;
}
