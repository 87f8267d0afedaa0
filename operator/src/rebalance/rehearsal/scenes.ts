// Scenes that a rebalancer must get right in the small: noise alone, the smallest true imbalance, and one big plan.
import { PARTITIONS } from "../../signals/reading.ts";
import type { LoadSnapshot } from "../../signals/snapshot.ts";
import { planPodsFor } from "../advice.ts";
import { relativeLoadsOf } from "../load.ts";
import { planRebalance, type RebalancePlan } from "../planner.ts";
import type { RebalanceSettings } from "../settings.ts";
import { CONTENDERS, type ContenderName } from "./contenders.ts";
import { seededRandom } from "../../runtime/seeded-random.ts";
import { Fleet, type FleetSetup } from "./fleet.ts";
import { keyOf, scrape, truthOf, type Noise } from "./scrape.ts";

const INTERVAL_MS = 10_000;

/** Ten minutes of nothing but noise over a fleet that is even: connections that somebody wants to move. */
export function movedByNoise(
  name: ContenderName,
  setup: FleetSetup,
  noise: Noise,
  settings: RebalanceSettings,
): number {
  const fleet = new Fleet(setup);
  const random = seededRandom(setup.seed + 2);
  const contender = CONTENDERS[name](settings);
  let moved = 0;
  let scraped: LoadSnapshot | undefined;
  for (let atMs = 0; atMs < 600_000; atMs += INTERVAL_MS) {
    scraped = scrape(fleet, atMs, noise, random, scraped);
    const orders = contender.next(scraped, 1_000_000);
    moved += orders.reduce((sum, order) => sum + order.count, 0);
  }
  return moved;
}

/** Seconds until one pod, `points` above the threshold, is acted upon under noise; 3,600 = never. */
export function secondsToSmallest(
  name: ContenderName,
  setup: FleetSetup,
  points: number,
  noise: Noise,
  settings: RebalanceSettings,
): number {
  const fleet = new Fleet(setup);
  const wanted = settings.maxImbalancePercent + points;
  while (truthOf(fleet, 0, settings).percent < wanted) {
    for (let from = 1; from < fleet.pods; from++) fleet.move(from, 0, undefined, 1);
  }
  const random = seededRandom(setup.seed + 3);
  let scraped: LoadSnapshot | undefined;
  const contender = CONTENDERS[name](settings);
  for (let atMs = 0; atMs < 3_600_000; atMs += INTERVAL_MS) {
    scraped = scrape(fleet, atMs, noise, random, scraped);
    const orders = contender.next(scraped, 1_000_000);
    if (orders.some((order) => order.from === keyOf(0))) return atMs / 1_000;
  }
  return 3_600;
}

/** A fleet in which a tenth of the pods are hot, as `plans` fresh snapshots: planning is timed by the caller. */
export function unevenSnapshot(setup: FleetSetup): LoadSnapshot {
  const fleet = new Fleet(setup);
  const random = seededRandom(setup.seed + 4);
  const hot = Math.max(1, Math.floor(fleet.pods / 10));
  for (let pod = 0; pod < fleet.pods; pod++) {
    const share = 0.2 + 0.4 * random();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const count = fleet.counts[pod * PARTITIONS + partition] ?? 0;
      fleet.move(pod, Math.floor(random() * hot), partition, Math.floor(count * share));
    }
  }
  return scrape(fleet, 0, { deviation: 0.05, lostShare: 0, lieShare: 0 }, random);
}

/** From a snapshot to a plan: what one decision costs. */
export function planFor(snapshot: LoadSnapshot, settings: RebalanceSettings): RebalancePlan {
  const relative = relativeLoadsOf(snapshot, settings);
  const pods = planPodsFor(snapshot, relative.loads, relative, settings);
  return planRebalance({ pods, bandPercent: settings.bandPercent, maxMoves: Number.MAX_SAFE_INTEGER });
}
