// A day of an invented fleet under one contender, and what it comes to. Counts, no timings.
import type { LoadSnapshot } from "../../signals/snapshot.ts";
import { boundFor } from "../bound.ts";
import { bandFor } from "../plan-facts.ts";
import type { RebalanceSettings } from "../settings.ts";
import { CONTENDERS, type ContenderName } from "./contenders.ts";
import { seededRandom } from "../../runtime/seeded-random.ts";
import { Fleet, type FleetSetup } from "./fleet.ts";
import { scrape, truthOf, type Noise } from "./scrape.ts";

export type DayFigures = {
  /** Runs of moves, and after how many of them the fleet was looked at. */
  readonly rebalances: number;
  readonly moved: number;
  /** Sum of the fewest connections that could have done, at the begin of each. */
  readonly bound: number;
  /** Pods that gave after they took, or took after they gave, within the cool-down. */
  readonly flips: number;
  /** True imbalance right after a rebalance: median and worst. */
  readonly afterPercent: number;
  readonly worstAfterPercent: number;
  /** True imbalance over the whole day: mean, and share of the time above the threshold. */
  readonly meanPercent: number;
  readonly aboveShare: number;
  /** |actual - predicted| of our predictions: median, points. */
  readonly predictionPoints: number;
};

const INTERVAL_SECONDS = 10;
/** Moves that follow nearer than this are one rebalance. */
const REST_MS = 60_000;

export function playDay(
  name: ContenderName,
  setup: FleetSetup,
  hours: number,
  noise: Noise,
  maxPerSecond: number,
  settings: RebalanceSettings,
): DayFigures {
  const fleet = new Fleet(setup);
  const noises = seededRandom(setup.seed + 1);
  const contender = CONTENDERS[name](settings);
  const directions = new Map<string, { gave: boolean; atMs: number }>();
  const after: number[] = [];
  let [moved, bound, flips, rebalances, sumPercent, above, looks] = [0, 0, 0, 0, 0, 0, 0];
  let scraped: LoadSnapshot | undefined;
  let lastMoveMs = Number.NEGATIVE_INFINITY;
  let isOpen = false;
  for (let atMs = 0; atMs < hours * 3_600_000; atMs += INTERVAL_SECONDS * 1_000) {
    fleet.pass(atMs, INTERVAL_SECONDS);
    const truth = truthOf(fleet, atMs, settings);
    scraped = scrape(fleet, atMs, noise, noises, scraped);
    const orders = contender.next(scraped, maxPerSecond * INTERVAL_SECONDS);
    if (orders.length > 0 && !isOpen) {
      isOpen = true;
      // A rule that goes on after a pause in the middle is not charged twice.
      if (atMs - lastMoveMs > REST_MS) {
        rebalances++;
        const pods = truth.pods();
        bound += boundFor(pods, bandFor(pods, settings.bandPercent));
      }
    }
    const movers = new Map<string, boolean>();
    for (const { from, to, partition, count } of orders) {
      moved += fleet.move(podOf(from), podOf(to), partition, count);
      movers.set(from, true).set(to, false);
    }
    for (const [key, gave] of movers) {
      const before = directions.get(key);
      if (before !== undefined && before.gave !== gave && atMs - before.atMs < settings.cooldownMs) flips++;
      directions.set(key, { gave, atMs });
    }
    if (orders.length > 0) lastMoveMs = atMs;
    else if (isOpen) {
      isOpen = false;
      after.push(truth.percent);
    }
    looks++;
    sumPercent += truth.percent;
    if (truth.percent > settings.maxImbalancePercent) above++;
  }
  const errors = contender.outcomes.map((outcome) => Math.abs(outcome.errorPoints));
  return {
    rebalances,
    moved,
    bound,
    flips,
    afterPercent: medianOf(after),
    worstAfterPercent: Math.max(0, ...after),
    meanPercent: sumPercent / looks,
    aboveShare: above / looks,
    predictionPoints: medianOf(errors),
  };
}

function podOf(key: string): number {
  return Number(key.slice(key.lastIndexOf("-") + 1));
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
