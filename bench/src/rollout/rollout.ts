// `rollout`: what a new image costs live clients, beside the same fleet without one. Rivals join as contenders.
import { pause } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import { interleaved, type Round } from "../rounds.ts";
import { CONTROL, figuresOf, PLAIN, ROLLOUT, summaryOf } from "./figures.ts";
import { openFleet, type FleetSetup, type RolloutFleet } from "./fleet.ts";
import { openPlain } from "./plain-deployment.ts";

const FULL: FleetSetup = { clients: 5_000, roomSize: 10, pods: 4, messagesPerSecond: 0.1, movesPerSecond: 200 };
const QUICK: FleetSetup = { clients: 300, roomSize: 10, pods: 3, messagesPerSecond: 0.2, movesPerSecond: 60 };
const FULL_ROUNDS = 5;
const WARM_MS = 3_000;
const ROLLOUT_TIMEOUT_MS = 300_000;

export const rollout: Bench = {
  name: "rollout",
  measures: "loss, gaps and pace of a rollout under traffic, over the same fleet without one",
  async run({ quick, progress, signal, say }) {
    const setup = quick ? QUICK : FULL;
    const fleet = await openFleet(setup, progress, signal);
    const rounds: Round[] = [];
    try {
      // The plain Deployment alone takes longer than the minute that a quick round has.
      const order = quick ? [CONTROL, ROLLOUT] : interleaved([CONTROL, ROLLOUT, PLAIN], FULL_ROUNDS);
      for (const [index, contender] of order.entries()) {
        const figures =
          contender === PLAIN
            ? await runPlain(fleet, setup, index, signal)
            : await runOnce(fleet, setup, contender === ROLLOUT, index, signal);
        rounds.push({ contender, figures });
        say(`round ${index + 1} of ${order.length}, ${contender}: ${JSON.stringify(figures)}`);
      }
    } finally {
      await fleet.close();
    }
    return {
      versions: { kubernetes: fleet.kubernetes },
      setup: { ...setup, durability: "memory", store: "Redis, one pod" },
      rounds,
      summary: summaryOf(rounds),
    };
  },
};

async function runOnce(
  fleet: RolloutFleet,
  setup: FleetSetup,
  isRollout: boolean,
  seed: number,
  signal: AbortSignal,
): Promise<Round["figures"]> {
  const load = await fleet.connect(seed);
  try {
    await pause(WARM_MS, signal);
    let changedAtMs: number | undefined;
    if (isRollout) {
      const { next } = fleet.image();
      changedAtMs = performance.timeOrigin + performance.now();
      await fleet.chat.setImage(next);
      await fleet.chat.switched(next, ROLLOUT_TIMEOUT_MS);
      fleet.rolled();
    } else await pause((1_000 * setup.clients) / setup.movesPerSecond, signal);
    await pause(WARM_MS, signal);
    const summary = await load.finish();
    return figuresOf({ summary, movesPerSecond: setup.movesPerSecond, changedAtMs });
  } finally {
    load.abandon();
  }
}

async function runPlain(
  fleet: RolloutFleet,
  setup: FleetSetup,
  seed: number,
  signal: AbortSignal,
): Promise<Round["figures"]> {
  const { now, next } = fleet.image();
  const plain = await openPlain(fleet.access, fleet.namespace, now, setup);
  try {
    const load = await plain.connect(seed);
    try {
      await pause(WARM_MS, signal);
      await plain.roll(next);
      await pause(WARM_MS, signal);
      // No moves to time: what counts is what its clients saw.
      return figuresOf({ summary: await load.finish(), movesPerSecond: setup.movesPerSecond, changedAtMs: undefined });
    } finally {
      load.abandon();
    }
  } finally {
    await plain.close();
  }
}
