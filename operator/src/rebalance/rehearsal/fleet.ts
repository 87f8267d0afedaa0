// An invented fleet: connections by pod and partition that come, go and land where the edge's `leastconn` puts them; keys
// by Zipf, keys that become hot, nodes that die. Same seed, same day. Not here: who rebalances it (contenders.ts).
import { seededRandom } from "../../runtime/seeded-random.ts";
import { PARTITIONS } from "../../signals/reading.ts";

export type FleetSetup = {
  readonly pods: number;
  readonly connectionsPerPod: number;
  readonly seed: number;
  /** Mean life of a connection. */
  readonly lifeSeconds: number;
};

export type Random = () => number;

const KEYS = 5_000;
const SAMPLED_PODS = 16;
/** Seconds of a node's absence, and from one node's death to the next. */
const DEAD_SECONDS = 40;
const NODE_EVERY_SECONDS = 3 * 3_600;
const NODE_SHARE = 0.1;
/** A key becomes hot: its people come, and write. */
const HOT_EVERY_SECONDS = 2 * 3_600;
const HOT_SECONDS = 3_600;
const HOT_ARRIVALS = 25;
const HOT_WRITES = 8;

export class Fleet {
  readonly pods: number;
  /** [pod * PARTITIONS + partition]. */
  readonly counts: Uint32Array;
  readonly totals: Uint32Array;
  /** Messages per second of one connection, by partition. */
  readonly rates = new Float64Array(PARTITIONS);
  readonly bornAtMs: Float64Array;
  readonly #random: Random;
  readonly #popularity = new Float64Array(PARTITIONS);
  readonly #baseRates = new Float64Array(PARTITIONS);
  readonly #hotUntilMs = new Float64Array(PARTITIONS);
  readonly #deadUntilMs: Float64Array;
  readonly #lifeSeconds: number;
  #nextNodeMs = NODE_EVERY_SECONDS * 500;
  #nextHotMs = HOT_EVERY_SECONDS * 400;

  constructor({ pods, connectionsPerPod, seed, lifeSeconds }: FleetSetup) {
    this.pods = pods;
    this.counts = new Uint32Array(pods * PARTITIONS);
    this.totals = new Uint32Array(pods);
    this.bornAtMs = new Float64Array(pods).fill(-3_600_000);
    this.#deadUntilMs = new Float64Array(pods).fill(-1);
    this.#random = seededRandom(seed);
    this.#lifeSeconds = lifeSeconds;
    for (let key = 0; key < KEYS; key++) {
      const partition = Math.floor(this.#random() * PARTITIONS);
      const popularity = 1 / (key + 1);
      const rate = 0.1 * (1 - this.#random()) ** -0.5;
      this.#popularity[partition] = (this.#popularity[partition] ?? 0) + popularity;
      this.#baseRates[partition] = (this.#baseRates[partition] ?? 0) + popularity * rate;
    }
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const rate = (this.#baseRates[partition] ?? 0) / (this.#popularity[partition] ?? 1);
      this.#baseRates[partition] = rate;
      this.rates[partition] = rate;
    }
    this.#arrive(pods * connectionsPerPod, 0);
  }

  isUp(pod: number, atMs: number): boolean {
    return (this.#deadUntilMs[pod] ?? 0) <= atMs;
  }

  /** Lets time pass from `atMs` on. */
  pass(atMs: number, seconds: number): void {
    if (atMs >= this.#nextNodeMs) this.#killNode(atMs);
    if (atMs >= this.#nextHotMs) {
      this.#nextHotMs += HOT_EVERY_SECONDS * 1_000;
      this.#hotUntilMs[Math.floor(this.#random() * PARTITIONS)] = atMs + HOT_SECONDS * 1_000;
    }
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const base = (this.#baseRates[partition] ?? 0) * (this.#isHot(partition, atMs) ? HOT_WRITES : 1);
      // Moods change slowly and come back.
      const pull = 0.02 * (base - (this.rates[partition] ?? 0)) + 0.02 * base * (this.#random() - 0.5);
      this.rates[partition] = Math.max(0.01 * base, (this.rates[partition] ?? 0) + pull);
    }
    const all = this.connections();
    const leaving = Math.round((all * seconds) / this.#lifeSeconds);
    let most = 1;
    for (const total of this.totals) most = Math.max(most, total);
    for (let left = leaving; left > 0;) {
      const pod = Math.floor(this.#random() * this.pods);
      if (this.#random() * most >= (this.totals[pod] ?? 0)) continue;
      this.#leave(pod, this.#anyOf(pod), 1);
      left--;
    }
    this.#arrive(leaving, atMs);
  }

  connections(): number {
    let all = 0;
    for (const total of this.totals) all += total;
    return all;
  }

  messagesOf(pod: number): number {
    let sum = 0;
    const from = pod * PARTITIONS;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      sum += (this.counts[from + partition] ?? 0) * (this.rates[partition] ?? 0);
    }
    return sum;
  }

  /** Moves up to `count`; `partition` undefined takes them as they come. Returns how many there were. */
  move(from: number, to: number, partition: number | undefined, count: number): number {
    let moved = 0;
    if (partition !== undefined) {
      moved = Math.min(count, this.counts[from * PARTITIONS + partition] ?? 0);
      this.#leave(from, partition, moved);
      this.#join(to, partition, moved);
      return moved;
    }
    for (; moved < count && (this.totals[from] ?? 0) > 0; moved++) {
      const any = this.#anyOf(from);
      this.#leave(from, any, 1);
      this.#join(to, any, 1);
    }
    return moved;
  }

  #isHot(partition: number, atMs: number): boolean {
    return (this.#hotUntilMs[partition] ?? 0) > atMs;
  }

  #arrive(count: number, atMs: number): void {
    const sums: number[] = [];
    let sum = 0;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      sum += (this.#popularity[partition] ?? 0) * (this.#isHot(partition, atMs) ? HOT_ARRIVALS : 1);
      sums.push(sum);
    }
    for (let arrived = 0; arrived < count; arrived++) {
      const at = this.#random() * sum;
      let [low, high] = [0, PARTITIONS - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((sums[middle] ?? 0) > at) high = middle;
        else low = middle + 1;
      }
      this.#join(this.#emptiest(atMs), low, 1);
    }
  }

  /** As `leastconn` does; of a large fleet among a sample. */
  #emptiest(atMs: number): number {
    let best = -1;
    const looks = Math.min(this.pods, SAMPLED_PODS);
    const start = Math.floor(this.#random() * this.pods);
    for (let look = 0; look < looks || best < 0; look++) {
      const pod = this.pods <= SAMPLED_PODS ? (start + look) % this.pods : Math.floor(this.#random() * this.pods);
      if (this.isUp(pod, atMs) && (best < 0 || (this.totals[pod] ?? 0) < (this.totals[best] ?? 0))) best = pod;
    }
    return best;
  }

  #killNode(atMs: number): void {
    this.#nextNodeMs += NODE_EVERY_SECONDS * 1_000;
    const count = Math.max(1, Math.floor(this.pods * NODE_SHARE));
    const first = Math.floor(this.#random() * this.pods);
    let homeless = 0;
    for (let index = 0; index < count; index++) {
      const pod = (first + index) % this.pods;
      homeless += this.totals[pod] ?? 0;
      this.counts.fill(0, pod * PARTITIONS, (pod + 1) * PARTITIONS);
      this.totals[pod] = 0;
      this.#deadUntilMs[pod] = atMs + DEAD_SECONDS * 1_000;
      this.bornAtMs[pod] = atMs + DEAD_SECONDS * 1_000;
    }
    this.#arrive(homeless, atMs);
  }

  #anyOf(pod: number): number {
    let at = this.#random() * (this.totals[pod] ?? 0);
    const from = pod * PARTITIONS;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      at -= this.counts[from + partition] ?? 0;
      if (at < 0) return partition;
    }
    return PARTITIONS - 1;
  }

  #leave(pod: number, partition: number, count: number): void {
    const cell = pod * PARTITIONS + partition;
    this.counts[cell] = (this.counts[cell] ?? 0) - count;
    this.totals[pod] = (this.totals[pod] ?? 0) - count;
  }

  #join(pod: number, partition: number, count: number): void {
    const cell = pod * PARTITIONS + partition;
    this.counts[cell] = (this.counts[cell] ?? 0) + count;
    this.totals[pod] = (this.totals[pod] ?? 0) + count;
  }
}
