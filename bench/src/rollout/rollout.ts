// `rollout`: what a new image costs live clients, beside the same fleet without one. Rivals join as contenders.
import { pause, type Progress } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import { interleaved, type Round } from "../rounds.ts";
import { ARGO_VERSION, buildArgo, openArgo } from "./argo-rollouts.ts";
import { ARGO, CONTROL, figuresOf, PLAIN, ROLLOUT, summaryOf } from "./figures.ts";
import { openFleet, type FleetSetup, type RolloutFleet } from "./fleet.ts";
import { openPlain } from "./plain-deployment.ts";
import type { RivalFleet } from "./rival-pod.ts";

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
    const rivals = quick ? [] : await rivalsAtHand(progress, signal, say);
    const fleet = await openFleet(setup, progress, signal);
    const rounds: Round[] = [];
    try {
      // A rival alone takes longer than the minute that a quick round has.
      const order = quick ? [CONTROL, ROLLOUT] : interleaved([CONTROL, ROLLOUT, ...rivals], FULL_ROUNDS);
      for (const [index, contender] of order.entries()) {
        const figures =
          contender === PLAIN || contender === ARGO
            ? await runRival(contender, { fleet, setup, seed: index, signal })
            : await runOnce(fleet, setup, contender === ROLLOUT, index, signal);
        rounds.push({ contender, figures });
        say(`round ${index + 1} of ${order.length}, ${contender}: ${JSON.stringify(figures)}`);
      }
    } finally {
      await fleet.close();
    }
    return {
      versions: {
        kubernetes: fleet.kubernetes,
        ...(rivals.includes(ARGO) ? { argoRollouts: ARGO_VERSION } : {}),
      },
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

/** Rivals that can run here; the reason is told where one cannot. */
async function rivalsAtHand(progress: Progress, signal: AbortSignal, say: (text: string) => void): Promise<string[]> {
  try {
    await buildArgo(progress, signal);
    return [PLAIN, ARGO];
  } catch (error) {
    if (signal.aborted) throw error;
    say(`without ${ARGO}: ${error instanceof Error ? error.message : String(error)}`);
    return [PLAIN];
  }
}

type RivalRun = {
  readonly fleet: RolloutFleet;
  readonly setup: FleetSetup;
  readonly seed: number;
  readonly signal: AbortSignal;
};

async function runRival(contender: typeof PLAIN | typeof ARGO, run: RivalRun): Promise<Round["figures"]> {
  const { fleet, setup, seed, signal } = run;
  const { now, next } = fleet.image();
  const open = (): Promise<RivalFleet> =>
    contender === PLAIN
      ? openPlain(fleet.access, fleet.namespace, now, setup, signal)
      : openArgo(fleet.access, fleet.namespace, now, setup, signal);
  const rival = await open();
  try {
    const load = await rival.connect(seed);
    try {
      await pause(WARM_MS, signal);
      await rival.roll(next);
      await pause(WARM_MS, signal);
      // No moves to time: what counts is what its clients saw.
      return figuresOf({ summary: await load.finish(), movesPerSecond: setup.movesPerSecond, changedAtMs: undefined });
    } finally {
      load.abandon();
    }
  } finally {
    await rival.close();
  }
}
