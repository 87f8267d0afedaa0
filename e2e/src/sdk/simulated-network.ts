// Sockets between SDK and pods on virtual time: delay, order within a socket and none between them, loss of what is on its way, cuts,
// and paths that die without telling anybody. Not here: what happens when (simulation.ts).

import type { WebSocketLike } from "@wscluster/client";
import type { SimulatedPod, SimulatedSocket } from "@wscluster/server/testing";

export type Random = () => number;

export class SimulatedNetwork {
  readonly pods: SimulatedPod[] = [];
  readonly wires = new Set<Wire>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  open(target: string): WebSocketLike {
    const url = new URL(target);
    const key = url.searchParams.get("pod");
    const living = this.pods.filter((pod) => !pod.isDead && pod.isReady);
    const pod =
      key === null ? living[Math.floor(this.#random() * living.length)] : living.find((one) => one.key === key);
    return new Wire(this, url, pod, this.#random);
  }
}

/** One socket, both ends. */
export class Wire implements WebSocketLike {
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;
  readonly pod: SimulatedPod | undefined;
  readonly #network: SimulatedNetwork;
  readonly #random: Random;
  readonly #delayMs: number;
  #far: SimulatedSocket | undefined;
  #isOpen = false;
  #isDone = false;
  #isDead = false;
  readonly #upward: Lane;
  readonly #downward: Lane;

  constructor(network: SimulatedNetwork, url: URL, pod: SimulatedPod | undefined, random: Random) {
    this.#network = network;
    this.#random = random;
    this.#delayMs = random() * 30;
    this.pod = pod;
    this.#upward = new Lane(random, () => this.#isDead);
    this.#downward = new Lane(random, () => this.#isDead);
    network.wires.add(this);
    this.#up(() => {
      const peer = {
        onText: (text: string) => this.#down(() => this.onmessage?.({ data: text })),
        onClose: (code: number, reason: string) => this.#down(() => this.#finish(code, reason)),
      };
      this.#far = pod?.accept(url, peer);
      this.#down(() => {
        if (!this.#far) this.#finish(1006, "refused");
        else if (!this.#isDone) {
          this.#isOpen = true;
          this.onopen?.({});
        }
      });
    });
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#isDone && !this.#isDead;
  }

  send(text: string): void {
    if (this.#isDone || !this.#isOpen) return;
    this.#up(() => this.#far?.text(text));
  }

  close(code = 1000): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#network.wires.delete(this);
    this.#up(() => this.#far?.close(code));
  }

  /** The connection breaks; what is on its way may still arrive at either end, up to some point. */
  cut(): void {
    const { onmessage, onclose } = this;
    const far = this.#far;
    const loses = this.#random() < 0.5;
    if (loses) this.onmessage = null;
    this.#down(() => {
      this.onmessage = onmessage;
      this.onclose = onclose;
      this.#finish(1006, "cut");
    });
    this.#up(() => far?.close(1006));
    if (this.#random() < 0.5) this.#far = undefined;
    this.#isOpen = false;
  }

  /** Nothing arrives any more, in either direction, and nobody is told. */
  die(): void {
    this.#isDead = true;
  }

  #finish(code: number, reason: string): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#network.wires.delete(this);
    this.onclose?.({ code, reason });
  }

  #up(run: () => void): void {
    this.#upward.add(run, this.#delayMs);
  }

  #down(run: () => void): void {
    this.#downward.add(run, this.#delayMs);
  }
}

/** One direction: nothing overtakes, however timers are rounded. */
class Lane {
  readonly #random: Random;
  readonly #isDead: () => boolean;
  readonly #queue: (() => void)[] = [];
  #lastMs = 0;

  constructor(random: Random, isDead: () => boolean) {
    this.#random = random;
    this.#isDead = isDead;
  }

  add(run: () => void, delayMs: number): void {
    const now = performance.now();
    this.#lastMs = Math.max(this.#lastMs, now + delayMs + this.#random() * 10);
    this.#queue.push(run);
    setTimeout(() => {
      const next = this.#queue.shift();
      if (!this.#isDead()) next?.();
    }, this.#lastMs - now);
  }
}
