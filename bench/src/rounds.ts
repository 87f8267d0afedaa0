// In which order contenders run, and what their rounds come to. Pure.

/** A B B A A B ...: each contender runs first as often as last, so that a machine that warms up or slows down favours nobody. */
export function interleaved<T>(contenders: readonly T[], rounds: number): readonly T[] {
  return Array.from({ length: rounds }, (_, round) => (round % 2 === 0 ? contenders : contenders.toReversed())).flat();
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** Figures of one run of one contender. */
export type Round = { readonly contender: string; readonly figures: Readonly<Record<string, number>> };

/** Median of each figure over a contender's rounds. */
export function mediansOf(rounds: readonly Round[], contender: string): Readonly<Record<string, number>> {
  const own = rounds.filter((round) => round.contender === contender);
  const names = new Set(own.flatMap((round) => Object.keys(round.figures)));
  return Object.fromEntries(
    [...names].map((name) => [name, medianOf(own.flatMap((round) => round.figures[name] ?? []))]),
  );
}
