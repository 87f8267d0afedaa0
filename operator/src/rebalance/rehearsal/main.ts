// Plays a fleet that exists only here through the real rebalancer and prints one line of JSON: `main.ts JSON`, see `Request`.
// A way to see what settings would do before they meet people; the benches run it too.
import { rebalanceSettingsFor, type RebalanceSpec } from "../settings.ts";
import { CONTENDERS, type ContenderName } from "./contenders.ts";
import { playDay } from "./day.ts";
import type { FleetSetup } from "./fleet.ts";
import { movedByNoise, planFor, secondsToSmallest, unevenSnapshot } from "./scenes.ts";

type Request = {
  readonly scene: "day" | "noise" | "smallest" | "plan";
  readonly contender: ContenderName;
  readonly pods: number;
  readonly connectionsPerPod: number;
  readonly seed: number;
  readonly hours: number;
  readonly lifeSeconds: number;
  readonly maxPerSecond: number;
  readonly deviation: number;
  readonly spec: RebalanceSpec;
};

const DEFAULTS: Request = {
  scene: "day",
  contender: "wscluster",
  pods: 10,
  connectionsPerPod: 1_000,
  seed: 1,
  hours: 24,
  lifeSeconds: 14_400,
  maxPerSecond: 200,
  deviation: 0.05,
  spec: {},
};
const PLANS = 7;
/** Points above the threshold that count as the smallest imbalance that must be found under noise. */
const SMALLEST_POINTS = 1;

const request: Request = { ...DEFAULTS, ...(JSON.parse(process.argv[2] ?? "{}") as Partial<Request>) };
if (!Object.hasOwn(CONTENDERS, request.contender))
  throw new Error(`cannot rehearse: no contender ${request.contender}`);
console.log(JSON.stringify(play(request)));

function play({ scene, contender, hours, maxPerSecond, deviation, spec, ...fleet }: Request): object {
  const settings = rebalanceSettingsFor(spec);
  const setup: FleetSetup = fleet;
  const noise = { deviation, lostShare: 0.01, lieShare: 0.001 };
  switch (scene) {
    case "day":
      return playDay(contender, setup, hours, noise, maxPerSecond, settings);
    case "noise":
      return { moved: movedByNoise(contender, setup, noise, settings) };
    case "smallest":
      return { seconds: secondsToSmallest(contender, setup, SMALLEST_POINTS, noise, settings) };
    case "plan": {
      const snapshot = unevenSnapshot(setup);
      const times: number[] = [];
      let plan = planFor(snapshot, settings);
      for (let round = 0; round < PLANS; round++) {
        const startedMs = performance.now();
        plan = planFor(snapshot, settings);
        times.push(performance.now() - startedMs);
      }
      const planMs = times.toSorted((a, b) => a - b)[Math.floor(PLANS / 2)];
      const { moved, lowerBound, beforePercent, predictedPercent, limitedBy } = plan;
      return { planMs, moved, lowerBound, beforePercent, predictedPercent, limitedBy, moves: plan.moves.length };
    }
  }
}
