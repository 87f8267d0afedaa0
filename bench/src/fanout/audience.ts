// The receivers of one layout and the publisher, on raw sockets of this process.
import { pause } from "@wscluster/e2e";
import type { Running } from "../rivals/running.ts";
import type { Layout, Work } from "./layout.ts";
import { messageOf, stampsIn } from "./message.ts";
import type { RawSocket } from "./raw-socket.ts";
import { openSubscriber } from "./subscriber.ts";

const OPEN_AT_ONCE = 64;
const SAMPLE_EVERY = 50;
/** Deliveries stop this long before they count as over. */
const SILENCE_MS = 3_000;
const DRAIN_TIMEOUT_MS = 60_000;

export class Audience {
  delivered = 0;
  /** Deliveries to those who do not read, once they read again. */
  deliveredToDeaf = 0;
  closed = 0;
  readonly delaysMs: number[] = [];
  readonly lateMs: number[] = [];
  readonly #layout: Layout;
  readonly #running: Running;
  readonly #sampleEvery: number;
  readonly #receivers: RawSocket[] = [];
  readonly #deaf = new Set<number>();
  readonly #seqs = new Map<string, number>();
  #publisher: RawSocket | undefined;
  #sent = 0;
  #isEnding = false;

  private constructor(running: Running, layout: Layout, sampleEvery: number) {
    this.#running = running;
    this.#layout = layout;
    this.#sampleEvery = sampleEvery;
  }

  /** @param sampleEvery every n-th receiver reads the planned send time of each message. */
  static async open(running: Running, layout: Layout, sampleEvery = SAMPLE_EVERY): Promise<Audience> {
    const audience = new Audience(running, layout, sampleEvery);
    try {
      for (let first = 0; first < layout.sockets; first += OPEN_AT_ONCE) {
        const size = Math.min(OPEN_AT_ONCE, layout.sockets - first);
        await Promise.all(Array.from({ length: size }, (_, at) => audience.#admit(first + at)));
      }
      audience.#publisher = await audience.#connect(layout.sockets, []);
    } catch (error) {
      audience.close();
      throw error;
    }
    return audience;
  }

  async #admit(index: number): Promise<void> {
    const channels = this.#layout.channelsOf(index);
    const socket = await this.#connect(index, channels);
    this.#receivers[index] = socket;
    if (index % this.#sampleEvery !== 0) return;
    socket.stream.onText = (payload) => {
      const now = performance.now();
      for (const stamp of stampsIn(payload)) this.delaysMs.push(now - stamp);
    };
  }

  #connect(index: number, channels: readonly string[]): Promise<RawSocket> {
    return openSubscriber(this.#running, index, channels, {
      onMessages: (count) => this.#count(index, count),
      onClosed: () => {
        if (!this.#isEnding) this.closed += 1;
      },
    });
  }

  #count(index: number, count: number): void {
    if (this.#deaf.has(index)) this.deliveredToDeaf += count;
    else this.delivered += count;
  }

  /** Sends by the plan whatever comes back, then waits until all is delivered. Resolves to how many deliveries were to be. */
  async perform(work: Work, members: ReadonlyMap<string, number>, signal: AbortSignal): Promise<number> {
    this.delivered = 0;
    this.deliveredToDeaf = 0;
    this.delaysMs.length = 0;
    this.lateMs.length = 0;
    this.#turnDeaf(work.deaf);
    const beginMs = performance.now();
    const count = work.rate * work.seconds;
    let expected = 0;
    for (let sent = 0; sent < count;) {
      const now = performance.now();
      const due = Math.min(count, Math.floor(((now - beginMs) * work.rate) / 1_000) + 1);
      this.#publisher?.hold();
      for (; sent < due; sent += 1) {
        const plannedMs = beginMs + (sent * 1_000) / work.rate;
        this.lateMs.push(now - plannedMs);
        expected += members.get(this.#publish(plannedMs, work.payloadBytes)) ?? 0;
      }
      this.#publisher?.release();
      const nextMs = beginMs + (sent * 1_000) / work.rate - performance.now();
      await pause(Math.max(0, nextMs), signal);
    }
    // Those who do not read are owed nothing yet.
    await this.#settle(expected - Math.round(expected * (this.#deaf.size / this.#layout.sockets)), signal);
    return expected;
  }

  /** After `perform` with deaf receivers: they read again. */
  async wake(signal: AbortSignal): Promise<void> {
    for (const index of this.#deaf) this.#receivers[index]?.resume();
    await pause(this.#deaf.size > 0 ? 500 : 0, signal);
    this.#deaf.clear();
  }

  #turnDeaf(share: number): void {
    const every = share > 0 ? Math.round(1 / share) : 0;
    for (const [index, socket] of this.#receivers.entries()) {
      // One off the sampled ones.
      if (every === 0 || index % every !== 1) continue;
      socket.pause();
      this.#deaf.add(index);
    }
  }

  #publish(plannedMs: number, payloadBytes: number): string {
    const { channels } = this.#layout;
    const channel = channels[this.#sent % channels.length] ?? "";
    const seq = (this.#seqs.get(channel) ?? 0) + 1;
    this.#seqs.set(channel, seq);
    this.#sent += 1;
    this.#publisher?.send(
      this.#running.contender.publish(this.#sent, channel, seq, messageOf(plannedMs, payloadBytes)),
    );
    return channel;
  }

  async #settle(expected: number, signal: AbortSignal): Promise<void> {
    const untilMs = performance.now() + DRAIN_TIMEOUT_MS;
    let last = this.delivered;
    let lastMs = performance.now();
    while (this.delivered < expected && performance.now() < untilMs) {
      await pause(5, signal);
      if (this.delivered !== last) lastMs = performance.now();
      else if (performance.now() - lastMs > SILENCE_MS) return;
      last = this.delivered;
    }
  }

  close(): void {
    this.#isEnding = true;
    this.#publisher?.destroy();
    for (const socket of this.#receivers) socket?.destroy();
  }
}
