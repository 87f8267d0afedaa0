// Each cell of the rollout's table, walked in the small world: a candidate is held at a step, the event comes, and what is done
// is what the table says.
import { describe, expect, it } from "vitest";
import {
  ROLLOUT_EVENTS,
  ROLLOUT_STEPS,
  ROLLOUT_TABLE,
  type RolloutAction,
  type RolloutEvent,
  type RolloutStepName,
} from "./decide/rollout/table.ts";
import type { SetFacts } from "./facts.ts";
import { type Spec, World } from "./testing/world.ts";

const DEADLINE_SECONDS = 30;
const ROLLOUT = { retainSeconds: 5, progressDeadlineSeconds: DEADLINE_SECONDS };
const OPEN = { analysis: { kind: "inconclusive", why: "too few samples" } } as const;
const FAILS = { analysis: { kind: "fail", why: "too many failed" } } as const;

/** How a candidate is kept at a step: by what would keep it there in a real cluster. */
const HELD: Record<RolloutStepName, { rollout?: Spec; image?: string; keep?: (world: World) => void }> = {
  provision: { image: "chat:bad" },
  verify: { keep: (world) => void (world.gates["verify"] = OPEN) },
  approve: { rollout: { promotion: "Manual" } },
  trial: {
    rollout: { steps: [{ newConnectionsPercent: 20, movePercent: 20 }] },
    keep: (world) => void (world.gates["step 1"] = OPEN),
  },
  grow: { rollout: { previewReplicas: 1 }, keep: (world) => void (world.fleet.bornUnreadyAfter = 3) },
  switch: { keep: (world) => void (world.fleet.edgesAreDeaf = true) },
  settle: { keep: (world) => void (world.fleet.hasStrays = true) },
  move: { keep: (world) => void world.fleet.arrive(60, "stubborn") },
};

function heldAt(step: RolloutStepName, rollout: Spec): { world: World; attempt: string } {
  const held = HELD[step];
  const world = new World({
    replicas: 2,
    server: { image: "chat:1" },
    redis: { url: "redis://store:6379" },
    edge: { replicas: 1 },
    rollout: { ...ROLLOUT, ...rollout, ...held.rollout },
    moves: { maxPerSecond: 50 },
  });
  world.run(8);
  world.fleet.arrive(20);
  held.keep?.(world);
  world.setSpec({ server: { image: held.image ?? "chat:2" } });
  const isThere = () => {
    const candidate = candidateOf(world);
    return candidate?.step === step && (step !== "trial" || candidate.trial?.phase === "pause");
  };
  expect(world.run(30, isThere)).toBe(true);
  world.run(3);
  const { revision, attempt } = candidateOf(world) ?? { revision: "", attempt: "" };
  // From the switch on somebody may be there, and then is.
  const mine = world.facts().pods.find((pod) => pod.revision === revision);
  if (step === "switch" || step === "settle") world.fleet.visit(mine?.uid ?? "", 3);
  return { world, attempt };
}

const candidateOf = (world: World): SetFacts | undefined => world.facts().sets.find((set) => set.role === "candidate");

/** What each event needs to be set from the begin on. */
const SETTINGS: Partial<Record<RolloutEvent, Spec>> = {
  gateFailsPause: { onFailure: "Pause" },
  deadlinePause: { onFailure: "Pause" },
};

type Run = (seconds: number) => void;

function happen(world: World, event: RolloutEvent, attempt: string, step: RolloutStepName, run: Run): void {
  const rollout = { ...world.facts().spec.rollout };
  const point = { verify: "verify", trial: "step 1", move: "move" }[step as string] ?? "none";
  const change = (more: Spec) => world.setSpec({ rollout: { ...rollout, ...more } });
  switch (event) {
    case "newerRevision":
      return world.setSpec({ server: { image: "chat:3" } });
    case "formerRevision":
      return world.setSpec({ server: { image: "chat:1" } });
    case "abort":
      return change({ abortedAttempt: attempt, approvedAttempt: attempt, paused: true });
    case "abortOther":
      return change({ abortedAttempt: "0123456789/9" });
    case "approve":
      return change({ approvedAttempt: attempt });
    case "approveOther":
      return change({ approvedAttempt: "0123456789/9" });
    case "pause":
      change({ paused: true });
      run(DEADLINE_SECONDS + 5);
      return;
    case "gatePasses":
      world.gates = {};
      return;
    case "gateFails":
    case "gateFailsPause":
      world.gates[point] = FAILS;
      return;
    case "deadline":
    case "deadlinePause":
      run(DEADLINE_SECONDS);
      return;
    case "storeAway":
      world.fleet.storeIsUp = false;
      run(DEADLINE_SECONDS);
      return;
    case "operatorRestart":
      world.wipeStatus();
      return world.restartOperator();
    case "moreReplicas":
      return world.setSpec({ replicas: 5 });
    case "fewerReplicas":
      return world.setSpec({ replicas: 1 });
  }
}

/** Reads off the sets what was done to the candidate that there was. */
function actionOf(world: World, before: SetFacts, wasBack: boolean): RolloutAction {
  const { sets, spec } = world.facts();
  const now = sets.find((set) => set.revision === before.revision);
  const hasNewcomer = sets.some((set) => set.role === "candidate" && set.revision !== before.revision);
  if (wasBack) return "giveBack";
  if (now?.role === "superseded") return "supersede";
  if (now?.role === "retired") return hasNewcomer ? "replace" : "scaleToZero";
  if (now?.role === "stable" || now?.step !== before.step) return "goOn";
  if (JSON.stringify(now.trial?.phase) !== JSON.stringify(before.trial?.phase)) return "goOn";
  if (world.status.rollout?.waiting?.reason === "RolloutPaused") return "hold";
  if (now.replicas > before.replicas) return "addPods";
  return spec.replicas < before.replicas && spec.replicas === 1 ? "queue" : "wait";
}

describe.each(Object.keys(ROLLOUT_EVENTS) as RolloutEvent[])("%s", (event) => {
  it.each(Object.keys(ROLLOUT_STEPS) as RolloutStepName[])("at %s", (step) => {
    const { world, attempt } = heldAt(step, SETTINGS[event] ?? {});
    const before = candidateOf(world);
    if (before === undefined) throw new Error("there is no candidate");
    const connections = world.fleet.connections;
    // With few clients it is over within seconds.
    let wasBack = false;
    const isBack = () => world.facts().sets.some((set) => set.revision === before.revision && set.step === "back");
    const run: Run = (seconds) =>
      void world.run(seconds, () => {
        wasBack ||= isBack();
        return false;
      });
    happen(world, event, attempt, step, run);
    run(2);
    expect(actionOf(world, before, wasBack)).toBe(ROLLOUT_TABLE[event][step]);
    world.run(3);
    expect(world.faults).toEqual([]);
    expect(world.fleet.connections).toBe(connections);
  });
});
