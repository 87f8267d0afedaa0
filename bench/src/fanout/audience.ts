// The receivers of one layout and the publisher, on raw sockets of this process.
import { pause } from "@wscluster/e2e";
import type { Running } from "../rivals/running.ts";
import type { Layout, Work } from "./layout.ts";
import { messageOf, stampsIn } from "./message.ts";
import { RawSocket } from "./raw-socket.ts";

const OPEN_AT_ONCE = 64;
/** Every n-th receiver reads the planned send time of each message. */
const SAMPLE_EVERY = 50;
const MESSAGE_BYTES = 128;
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
  readonly #receivers: RawSocket[] = [];
  readonly #deaf = new Set<RawSocket>();
  readonly #seqs = new Map<string, number>();
  #publisher: RawSocket | undefined;
  #sent = 0;
  #isEnding = false;

  private constructor(running: Running, layout: Layout) {
    this.#running = running;
    this.#layout = layout;
  }

  static async open(running: Running, layout: Layout): Promise<Audience> {
    const audience = new Audience(running, layout);
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
    if (index % SAMPLE_EVERY !== 0) return;
    socket.stream.onText = (payload) => {
      const now = performance.now();
      for (const stamp of stampsIn(payload)) this.delaysMs.push(now - stamp);
    };
  }

  async #connect(index: number, channels: readonly string[]): Promise<RawSocket> {
    const { contender, port } = this.#running;
    const { text, per } = contender.joined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = await RawSocket.open({
      port,
      path: contender.path,
      ...(contender.subprotocol ? { subprotocol: contender.subprotocol } : {}),
      messageBytes: channels.length === 0 ? Number.MAX_SAFE_INTEGER : MESSAGE_BYTES,
      lines: contender.lines,
      onMessages: (count) => this.#count(socket, count),
      onClosed: () => {
        if (!this.#isEnding) this.closed += 1;
        resolve();
      },
    });
    // The publisher has no channels: its first answer says that it may begin.
    const wanted = per === "channel" ? Math.max(1, channels.length) : 1;
    const awaited = channels.length === 0 && per === "channel" ? "" : text;
    let seen = 0;
    socket.stream.onText = (payload) => {
      seen += awaited === "" ? 1 : payload.toString("latin1").split(awaited).length - 1;
      if (seen < wanted) return;
      socket.stream.onText = undefined;
      resolve();
    };
    socket.send(contender.join(index, channels));
    await promise;
    return socket;
  }

  #count(socket: RawSocket, count: number): void {
    if (this.#deaf.has(socket)) this.deliveredToDeaf += count;
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
    for (const socket of this.#deaf) socket.resume();
    await pause(this.#deaf.size > 0 ? 500 : 0, signal);
    this.#deaf.clear();
  }

  #turnDeaf(share: number): void {
    const every = share > 0 ? Math.round(1 / share) : 0;
    for (const [index, socket] of this.#receivers.entries()) {
      // One off the sampled ones.
      if (every === 0 || index % every !== 1) continue;
      socket.pause();
      this.#deaf.add(socket);
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
