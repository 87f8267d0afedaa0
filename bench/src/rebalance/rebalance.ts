// `rebalance`: a day of fleets that exist only in numbers, under our rebalancer, the plain threshold rule and nobody.
import type { Bench } from "../bench.ts";
import { interleaved, medianOf, type Round } from "../rounds.ts";
import { figuresOf, labelOf, NOBODY, OURS, RULE, summaryOf } from "./figures.ts";
import { rehearse } from "./rehearsal.ts";

type FleetSize = { readonly pods: number; readonly hours: number };

const FULL: readonly FleetSize[] = [
  { pods: 10, hours: 24 },
  { pods: 100, hours: 24 },
  { pods: 1_000, hours: 24 },
];
/** The first node dies after an hour and a half, so a short day has one. */
const QUICK: readonly FleetSize[] = [
  { pods: 10, hours: 12 },
  { pods: 100, hours: 2 },
];
const CONNECTIONS_PER_POD = 1_000;
const FULL_ROUNDS = 5;
const PLAN_PODS = 1_000;
const PLAN_ROUNDS = 3;

export const rebalance: Bench = {
  name: "rebalance",
  measures: "imbalance, connections moved and flips over a day of an invented fleet, beside the plain threshold rule",
  async run({ quick, signal, say }) {
    const sizes = quick ? QUICK : FULL;
    const order = quick ? [OURS, RULE, NOBODY] : interleaved([OURS, RULE, NOBODY], FULL_ROUNDS);
    const rounds: Round[] = [];
    for (const [index, contender] of order.entries()) {
      // The same fleets for all three.
      const seed = 1 + Math.floor(index / 3);
      for (const { pods, hours } of sizes) {
        const fleet = { contender, pods, hours, seed, connectionsPerPod: CONNECTIONS_PER_POD };
        const day = await rehearse({ ...fleet, scene: "day" }, signal);
        // Who never moves anybody needs no proof of it.
        const isAsked = contender !== NOBODY;
        const noise = isAsked ? await rehearse({ ...fleet, scene: "noise" }, signal) : {};
        const smallest = isAsked ? await rehearse({ ...fleet, scene: "smallest" }, signal) : {};
        const figures = figuresOf(day, noise, smallest, pods);
        rounds.push({ contender: labelOf(contender, pods), figures });
        say(`round ${index + 1} of ${order.length}, ${labelOf(contender, pods)}: ${JSON.stringify(figures)}`);
      }
    }
    const planTimes: number[] = [];
    for (let seed = 1; seed <= PLAN_ROUNDS; seed++) {
      const request = {
        scene: "plan",
        contender: OURS,
        pods: PLAN_PODS,
        hours: 0,
        seed,
        connectionsPerPod: CONNECTIONS_PER_POD,
      } as const;
      planTimes.push((await rehearse(request, signal))["planMs"] ?? 0);
    }
    return {
      versions: {},
      setup: {
        fleets: sizes.map(({ pods, hours }) => `${pods} pods x ${hours} h`).join(", "),
        connectionsPerPod: CONNECTIONS_PER_POD,
        partitions: 128,
        plannedPods: PLAN_PODS,
      },
      rounds,
      summary: summaryOf(rounds, medianOf(planTimes)),
    };
  },
};
