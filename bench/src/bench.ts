// What a bench is, and the result that it leaves. Benches are not tests: nothing fails on a timing.
import type { Progress } from "@wscluster/e2e";
import type { Machine } from "./machine.ts";
import type { Round } from "./rounds.ts";

export type BenchContext = {
  /** One short round, under a minute on a cluster that is up. */
  readonly quick: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
};

export type BenchOutcome = {
  readonly versions: Readonly<Record<string, string>>;
  /** What was run: counts, rates, durability; two results are comparable only where these are equal. */
  readonly setup: Readonly<Record<string, string | number>>;
  readonly rounds: readonly Round[];
  /** Medians, and ratios to rivals of the same run. */
  readonly summary: Readonly<Record<string, number>>;
};

export type Bench = {
  readonly name: string;
  readonly measures: string;
  run(context: BenchContext): Promise<BenchOutcome>;
};

export type BenchResult = BenchOutcome & {
  readonly name: string;
  /** RFC 3339. */
  readonly date: string;
  readonly quick: boolean;
  readonly machine: Machine;
};
