// Durations in logarithmic buckets, 2 % wide from 0.1 ms on: constant memory for millions of samples. The maximum is exact.

const SMALLEST_MS = 0.1;
const GROWTH = 1.02;

export type HistogramData = { readonly buckets: ReadonlyMap<number, number>; readonly maxMs: number };

export class Histogram {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }
  get maxMs(): number {
    return this.#maxMs;
  }

  add(milliseconds: number): void {
    const bucket = milliseconds <= SMALLEST_MS ? 0 : Math.ceil(Math.log(milliseconds / SMALLEST_MS) / Math.log(GROWTH));
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count += 1;
    if (milliseconds > this.#maxMs) this.#maxMs = milliseconds;
  }

  /** Upper edge of the bucket that holds the quantile, at most the maximum; 0 without samples. */
  quantileMs(quantile: number): number {
    const wanted = Math.ceil(this.#count * quantile);
    let seen = 0;
    for (const [bucket, count] of [...this.#buckets].toSorted(([a], [b]) => a - b)) {
      seen += count;
      if (seen >= wanted) return Math.min(this.#maxMs, SMALLEST_MS * GROWTH ** bucket);
    }
    return this.#maxMs;
  }

  data(): HistogramData {
    return { buckets: new Map(this.#buckets), maxMs: this.#maxMs };
  }

  merge(other: HistogramData): void {
    for (const [bucket, count] of other.buckets) {
      this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + count);
      this.#count += count;
    }
    this.#maxMs = Math.max(this.#maxMs, other.maxMs);
  }

  clear(): void {
    this.#buckets.clear();
    this.#count = 0;
    this.#maxMs = 0;
  }
}

/** Exact quantile of a list (nearest rank); 0 for an empty one. */
export function quantileOf(values: readonly number[], quantile: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * quantile) - 1)] ?? 0;
}
