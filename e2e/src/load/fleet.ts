// All clients of one load process: opens them at a pace, lets them publish, adds witnesses, settles, sums up.
import { Oracle } from "../oracle/oracle.ts";
import type { TimeSpan } from "../oracle/evidence.ts";
import type { Connect, StartPosition } from "./connection.ts";
import { continuityOf, type Continuity, type SocketLife } from "./continuity.ts";
import { Histogram, quantileOf } from "./histogram.ts";
import { LoadClient, noCounters } from "./load-client.ts";
import type { LoadOptions, LoadStats, LoadSummary } from "./messages.ts";
import { seatsFor, type Seat } from "./rooms.ts";
import { seededRandom } from "./seeded-random.ts";

const SETTLE_MS = 30_000;
const POLL_MS = 50;
/** Messages of each stream that are read again at the end; fewer than the store keeps by default. */
const AUDIT_DEPTH = 500;

export class Fleet {
  readonly #options: LoadOptions;
  readonly #connect: Connect;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #oracle = new Oracle({ minWitnessesPerChannel: 1 });
  readonly #counters = noCounters();
  readonly #latency = new Histogram();
  readonly #clients: LoadClient[] = [];
  readonly #witnesses: LoadClient[] = [];
  readonly #faults: { from: number; to: number }[] = [];
  readonly #fill: string;
  #startedAt = 0;

  constructor(options: LoadOptions, connect: Connect, now: () => number) {
    this.#options = options;
    this.#connect = connect;
    this.#now = now;
    this.#random = seededRandom(options.seed);
    this.#fill = "x".repeat(Math.max(0, options.payloadBytes - 60));
  }

  async open(connected: (count: number) => void): Promise<void> {
    const seats = this.#seats();
    const gapMs = 1_000 / this.#options.connectsPerSecond;
    const begin = this.#now();
    let count = 0;
    await Promise.all(
      seats.map(async (seat, index) => {
        await wait(begin + index * gapMs - this.#now());
        const client = this.#client(seat);
        this.#clients.push(client);
        await client.open();
        count += 1;
        connected(count);
      }),
    );
  }

  publish(): void {
    this.#startedAt = this.#now();
    for (const client of this.#clients) client.publishEvery(1_000 / this.#options.messagesPerSecond);
  }

  /** One silent reader per room, from now on; those that never have to move are independent readings of the streams. */
  async joinWitnesses(): Promise<number> {
    const round = this.#witnesses.length;
    await Promise.all(
      this.#rooms().map(async (room, index) => {
        const client = this.#client({
          client: `${this.#options.prefix}w${round + index}`,
          home: room,
          guestOf: undefined,
        });
        this.#witnesses.push(client);
        await client.open();
      }),
    );
    return this.#witnesses.length;
  }

  fault(on: boolean): void {
    const open = this.#faults.at(-1);
    if (on) this.#faults.push({ from: this.#now(), to: Infinity });
    else if (open) open.to = this.#now();
  }

  stats(): LoadStats {
    const now = this.#now();
    const pods = new Map<string, number>();
    let connected = 0;
    const all = [...this.#clients, ...this.#witnesses].map((client) => continuityOf(client.connection.sockets, now));
    for (const { pod, isHeld } of all) {
      if (!isHeld || pod === undefined) continue;
      connected += 1;
      pods.set(pod, (pods.get(pod) ?? 0) + 1);
    }
    const totals = totalsOf(all);
    const { published, acknowledged, delivered } = this.#counters;
    return {
      clients: this.#clients.length,
      connected,
      published,
      acknowledged,
      delivered,
      moved: totals.moves,
      resumed: totals.resumes,
      cut: totals.cut,
      faults: this.#oracle.faults,
      maxGapMs: Math.max(0, ...all.map((one) => one.longestDarkMs)),
      maxHoldMs: Math.max(0, ...all.map((one) => one.longestHoldMs)),
      pods,
    };
  }

  /** Stops publishing, waits for what is still on its way, reads every stream once more from the store, and judges. */
  async finish(): Promise<LoadSummary> {
    for (const client of this.#clients) client.pause();
    const publishedUntil = this.#now();
    await this.#until(() => this.#counters.inFlight === 0);
    await this.#until(() => this.#oracle.behind() === 0);
    const end = this.#now();
    const all = [...this.#clients, ...this.#witnesses];
    const continuity = all.map((client) => continuityOf(client.connection.sockets, end));
    all.forEach((client, index) => {
      const one = continuity[index];
      if (one && one.moves + one.resumes + one.resets === 0) this.#oracle.attest(client.name);
    });
    const auditors = await this.#audit();
    const verdict = this.#oracle.verdict(this.#faults satisfies readonly TimeSpan[]);
    for (const client of [...all, ...auditors]) client.close();
    const gapsMs = continuity.map((one) => one.longestDarkMs);
    const holdsMs = continuity.map((one) => one.longestHoldMs);
    const totals = totalsOf(continuity);
    return {
      verdict,
      clients: this.#clients.length,
      ...totals,
      movedClients: continuity.filter((one) => one.moves > 0).length,
      disconnects: this.#counters.disconnects,
      toldGaps: this.#counters.toldGaps,
      p99GapMs: quantileOf(gapsMs, 0.99),
      maxGapMs: Math.max(0, ...gapsMs),
      gapsMs,
      p99HoldMs: quantileOf(holdsMs, 0.99),
      maxHoldMs: Math.max(0, ...holdsMs),
      holdsMs,
      deliveryP50Ms: this.#latency.quantileMs(0.5),
      deliveryP99Ms: this.#latency.quantileMs(0.99),
      deliveryMaxMs: this.#latency.maxMs,
      latency: this.#latency.data(),
      begunAtMs: stampsOf(all, (life) => life.openedAt),
      committedAtMs: stampsOf(all, (life) => life.committedAt),
      seconds: (publishedUntil - this.#startedAt) / 1_000,
    };
  }

  /** Closes everything without judging. */
  abandon(): void {
    for (const client of [...this.#clients, ...this.#witnesses]) client.close();
  }

  /** Readers who come after the run and are given each stream by the store itself. */
  async #audit(): Promise<readonly LoadClient[]> {
    const starts = new Map<string, StartPosition>();
    for (const client of this.#clients)
      for (const [channel, start] of client.starts) {
        const earliest = starts.get(channel);
        if (!earliest || start.offset < earliest.offset) starts.set(channel, start);
      }
    for (const [channel, start] of starts) {
      const offset = Math.max(start.offset, this.#oracle.topOf(channel) - AUDIT_DEPTH);
      starts.set(channel, { ...start, offset });
    }
    const latency = new Histogram();
    const auditors = this.#rooms().map(
      (room, index) =>
        new LoadClient({
          ...this.#clientOptions({ client: `${this.#options.prefix}audit${index}`, home: room, guestOf: undefined }),
          counters: noCounters(),
          latency,
        }),
    );
    await Promise.all(auditors.map((auditor) => auditor.open(starts)));
    await this.#until(() => this.#oracle.behind() === 0);
    for (const auditor of auditors) this.#oracle.attest(auditor.name);
    return auditors;
  }

  #seats(): readonly Seat[] {
    const { clients, rooms, prefix, skew } = this.#options;
    return seatsFor(clients, rooms, prefix, skew);
  }

  #rooms(): readonly string[] {
    return [...new Set(this.#seats().map((seat) => seat.home))];
  }

  #client(seat: Seat): LoadClient {
    return new LoadClient(this.#clientOptions(seat));
  }

  #clientOptions(seat: Seat) {
    return {
      seat,
      connect: this.#connect,
      oracle: this.#oracle,
      counters: this.#counters,
      latency: this.#latency,
      now: this.#now,
      random: this.#random,
      fill: this.#fill,
    };
  }

  async #until(isDone: () => boolean): Promise<void> {
    const deadline = this.#now() + SETTLE_MS;
    while (!isDone() && this.#now() < deadline) await wait(POLL_MS);
  }
}

/** Of sockets of committed moves, on the clock that other processes share. */
function stampsOf(clients: readonly LoadClient[], of: (life: SocketLife) => number | undefined): readonly number[] {
  return clients
    .flatMap((client) => client.connection.sockets)
    .filter((life) => life.prepared && life.committedAt !== undefined)
    .flatMap((life) => of(life) ?? [])
    .map((at) => performance.timeOrigin + at)
    .toSorted((a, b) => a - b);
}

function totalsOf(all: readonly Continuity[]) {
  const sum = (of: (one: Continuity) => number): number => all.reduce((total, one) => total + of(one), 0);
  return {
    moves: sum((one) => one.moves),
    makeBeforeBreak: sum((one) => one.makeBeforeBreak),
    resumes: sum((one) => one.resumes),
    resets: sum((one) => one.resets),
    cut: sum((one) => one.cut),
  };
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, Math.max(0, milliseconds)));
}
