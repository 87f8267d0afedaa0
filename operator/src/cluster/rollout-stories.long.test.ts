// Stories of rollouts with steps, approval, gates and slices, told second by second; see stories.long.test.ts for the format.
import { expect } from "vitest";
import { connectionsOf } from "./facts.ts";
import { describeStories, type Story } from "./testing/stories.suite.ts";
import type { Told } from "./testing/live-world.ts";
import type { Spec } from "./testing/world.ts";

const server = (image: string) => ({ image });
const TIMES = { retainSeconds: 5, progressDeadlineSeconds: 60 };
const STEPS = [
  { newConnectionsPercent: 10, movePercent: 5, pauseSeconds: 5 },
  { newConnectionsPercent: 50, movePercent: 40, pauseSeconds: 5 },
];
const SPEC: Spec = {
  replicas: 4,
  server: server("chat:1"),
  redis: { url: "redis://store:6379" },
  rollout: TIMES,
  moves: { maxPerSecond: 25 },
};

/** 4 pods with 200 clients, and the rollout's settings. */
async function begin(world: Told, rollout: Spec = {}, replicas = 4): Promise<void> {
  world.say(`apply: ${replicas} pods of chat:1`);
  world.setSpec({ replicas, rollout: { ...TIMES, ...rollout } });
  await world.run(10);
  world.say("200 clients connect");
  world.fleet.arrive(200);
  await world.run(2);
}

function roll(world: Told, image = "chat:2"): void {
  world.say(`the image becomes ${image}`);
  world.setSpec({ server: server(image) });
}

const candidateOf = (world: Told) => world.facts().sets.find((set) => set.role === "candidate");
const attemptOf = (world: Told) => candidateOf(world)?.attempt ?? "";
const isAt = (world: Told, image: string) => () =>
  world.facts().sets.length > 0 &&
  world.facts().sets.every((set) => (set.image === image ? set.role === "stable" : set.step === "history"));
const isIn = (world: Told, index: number, phase: string) => () => {
  const trial = candidateOf(world)?.trial;
  return candidateOf(world)?.step === "trial" && trial?.index === index && trial.phase === phase;
};
const isWaitingFor = (world: Told, reason: string) => () => world.status.rollout?.waiting?.reason === reason;
const heldBy = (world: Told, image: string) =>
  world
    .facts()
    .pods.filter((pod) => world.facts().sets.find((set) => set.revision === pod.revision)?.image === image)
    .reduce((sum, pod) => sum + (connectionsOf(pod) ?? 0), 0);
const change = (world: Told, rollout: Spec): void => {
  const before = world.facts().spec.rollout ?? {};
  world.setSpec({ rollout: { ...before, ...rollout } });
};

const STORIES: Record<string, Story> = {
  async steps(world) {
    await begin(world, { steps: STEPS });
    roll(world);
    world.say("two clients arrive every second");
    world.arrivalsPerSecond = 2;
    expect(await world.run(60, isIn(world, 0, "pause"))).toBe(true);
    expect(world.status.rollout).toMatchObject({ step: 1, steps: 2, phase: "trial" });
    expect(heldBy(world, "chat:2")).toBeLessThan(20);
    expect(await world.run(60, isIn(world, 1, "pause"))).toBe(true);
    world.arrivalsPerSecond = 0;
    // Neither less nor more than was asked for, of those that were there.
    expect(world.status.rollout?.percentMoved).toBeGreaterThanOrEqual(39);
    expect(world.status.rollout?.percentMoved).toBeLessThanOrEqual(41);
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async approval(world) {
    await begin(world, { promotion: "Manual", previewReplicas: 1 });
    roll(world);
    expect(await world.run(60, isWaitingFor(world, "AwaitingApproval"))).toBe(true);
    expect(world.status.rollout?.waiting?.unblock).toBe(
      `kubectl -n apps patch wsc chat --type merge -p '{"spec":{"rollout":{"approvedAttempt":"${attemptOf(world)}"}}}'`,
    );
    world.say("nobody does anything for longer than any deadline");
    await world.run(90);
    expect(candidateOf(world)?.replicas).toBe(1);
    world.say("somebody approves an attempt that does not exist");
    change(world, { approvedAttempt: "0123456789/7" });
    await world.run(5);
    world.say("somebody approves the attempt");
    change(world, { approvedAttempt: attemptOf(world) });
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "abort-in-steps"(world) {
    await begin(world, { promotion: "Manual", steps: STEPS });
    roll(world);
    expect(await world.run(60, isWaitingFor(world, "AwaitingApproval"))).toBe(true);
    const attempt = attemptOf(world);
    world.say("approved");
    change(world, { approvedAttempt: attempt });
    expect(await world.run(60, isIn(world, 1, "pause"))).toBe(true);
    world.say(`at 40 % somebody aborts ${attempt}: it beats the approval`);
    change(world, { abortedAttempt: attempt });
    expect(await world.run(90, isAt(world, "chat:1"))).toBe(true);
    await world.run(5);
    expect(world.facts().instructions?.share).toBe(undefined);
    expect(heldBy(world, "chat:1")).toBe(200);
  },
  async "gate-fails"(world) {
    await begin(world, { steps: STEPS });
    world.gates["step 2"] = { analysis: { kind: "fail", why: "3 of 80 resumes failed, 1 % allowed" } };
    roll(world);
    expect(await world.run(90, isAt(world, "chat:1"))).toBe(true);
    expect(world.status.conditions?.find(({ type }) => type === "Progressing")?.reason).toBe("GateFailed");
  },
  async "gate-fails-and-pauses"(world) {
    await begin(world, { steps: STEPS, onFailure: "Pause" });
    world.gates["step 1"] = { webhooks: { kind: "fail", why: "the check of the shop says no" } };
    roll(world);
    expect(await world.run(60, isWaitingFor(world, "RolloutPaused"))).toBe(true);
    world.say("nobody does anything for longer than any deadline");
    // Those who were asked before may still arrive.
    await world.run(2);
    const held = heldBy(world, "chat:2");
    await world.run(88);
    expect(heldBy(world, "chat:2")).toBe(held);
    world.say("the check says yes now: the rollout goes on");
    world.gates = {};
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "gate-inconclusive"(world) {
    await begin(world, { steps: STEPS });
    world.gates["step 1"] = { analysis: { kind: "inconclusive", why: "8 samples of 20" } };
    roll(world);
    expect(await world.run(60, isWaitingFor(world, "GateInconclusive"))).toBe(true);
    await world.run(20);
    world.say("there are enough samples, and they are good");
    world.gates = {};
    expect(await world.run(30, isIn(world, 1, "share"))).toBe(true);
    world.say("the next step is never decided");
    world.gates["step 2"] = { analysis: { kind: "inconclusive", why: "the metrics are away" } };
    expect(await world.run(160, isAt(world, "chat:1"))).toBe(true);
  },
  async "pause-and-resume"(world) {
    await begin(world, { steps: STEPS });
    roll(world);
    expect(await world.run(60, isIn(world, 1, "move"))).toBe(true);
    await world.run(1);
    world.say("somebody pauses the rollout in mid-step");
    change(world, { paused: true });
    await world.run(5);
    const held = heldBy(world, "chat:2");
    await world.run(90);
    expect(heldBy(world, "chat:2")).toBe(held);
    world.say("and lets it go on");
    change(world, { paused: false });
    expect(await world.run(90, isAt(world, "chat:2"))).toBe(true);
  },
  async "abort-while-paused"(world) {
    await begin(world);
    roll(world);
    expect(await world.run(60, () => candidateOf(world)?.step === "move" && heldBy(world, "chat:2") > 50)).toBe(true);
    world.say("paused in mid-move, then aborted");
    change(world, { paused: true });
    await world.run(5);
    change(world, { abortedAttempt: attemptOf(world) });
    expect(await world.run(90, isAt(world, "chat:1"))).toBe(true);
  },
  async slices(world) {
    await begin(world, { surgePercent: 25 }, 8);
    roll(world);
    let most = 0;
    expect(
      await world.run(200, () => {
        most = Math.max(most, world.facts().pods.length);
        return isAt(world, "chat:2")();
      }),
    ).toBe(true);
    expect(most).toBe(10);
  },
  async "abort-in-slices"(world) {
    await begin(
      world,
      { surgePercent: 50, onFailure: "Abort", steps: [{ newConnectionsPercent: 0, movePercent: 1 }] },
      4,
    );
    roll(world);
    expect(await world.run(60, () => candidateOf(world)?.step === "grow" && heldBy(world, "chat:1") <= 100)).toBe(true);
    await world.run(2);
    world.say("half of the old pods are gone when somebody aborts");
    change(world, { abortedAttempt: attemptOf(world) });
    expect(await world.run(120, isAt(world, "chat:1"))).toBe(true);
    expect(world.facts().pods).toHaveLength(4);
  },
  async "slices-with-stubborn-clients"(world) {
    await begin(world, { surgePercent: 50 }, 4);
    world.say("four clients refuse every move");
    world.fleet.arrive(4, "stubborn");
    world.setSpec({ disruption: { deadlineSeconds: 20 } });
    roll(world);
    expect(await world.run(300, isAt(world, "chat:2"))).toBe(true);
    await world.run(60);
    expect(world.fleet.connections).toBe(204);
  },
  async "superseded-in-steps"(world) {
    await begin(world, { steps: STEPS });
    roll(world, "chat:2");
    expect(await world.run(60, isIn(world, 1, "pause"))).toBe(true);
    roll(world, "chat:3");
    expect(await world.run(60, isIn(world, 1, "pause"))).toBe(true);
    expect(heldBy(world, "chat:2")).toBe(0);
    expect(await world.run(60, isAt(world, "chat:3"))).toBe(true);
  },
  async "rollback-from-retained"(world) {
    await begin(world, { promotion: "Manual", steps: STEPS, retainSeconds: 60 });
    roll(world);
    expect(await world.run(60, isWaitingFor(world, "AwaitingApproval"))).toBe(true);
    change(world, { approvedAttempt: attemptOf(world) });
    expect(await world.run(60, () => world.facts().sets.find((set) => set.role === "stable")?.image === "chat:2")).toBe(
      true,
    );
    await world.run(5);
    world.say("chat:1 is wanted again: its pods are warm, nobody is asked, no step is taken");
    const pods = new Set(world.facts().pods.map((pod) => pod.uid));
    world.setSpec({ server: server("chat:1") });
    expect(await world.run(20, () => heldBy(world, "chat:1") === 200)).toBe(true);
    expect(world.facts().pods.every((pod) => pods.has(pod.uid))).toBe(true);
    expect(await world.run(120, isAt(world, "chat:1"))).toBe(true);
  },
  async "scaled-in-steps"(world) {
    await begin(world, { steps: STEPS });
    roll(world);
    expect(await world.run(60, isIn(world, 0, "pause"))).toBe(true);
    world.say("replicas: 6 in mid-rollout");
    world.setSpec({ replicas: 6 });
    expect(await world.run(20, () => candidateOf(world)?.replicas === 6)).toBe(true);
    world.say("replicas: 3 right after: a decrease waits until the rollout is over");
    world.setSpec({ replicas: 3 });
    expect(
      await world.run(90, () => {
        const candidate = candidateOf(world);
        expect(candidate?.replicas ?? 6).toBe(6);
        return candidate === undefined;
      }),
    ).toBe(true);
    expect(await world.run(120, () => isAt(world, "chat:2")() && world.facts().pods.length === 3)).toBe(true);
  },
  async "restart-in-steps"(world) {
    await begin(world, { steps: STEPS });
    roll(world);
    expect(await world.run(60, isIn(world, 1, "move"))).toBe(true);
    await world.run(1);
    world.say("the operator is killed; the status is wiped");
    world.operatorIsUp = false;
    world.wipeStatus();
    await world.run(5);
    world.say("the operator is back");
    world.restartOperator();
    world.operatorIsUp = true;
    expect(await world.run(60, isIn(world, 1, "pause"))).toBe(true);
    expect(heldBy(world, "chat:2")).toBe(80);
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "store-away-in-steps"(world) {
    await begin(world, { steps: STEPS });
    roll(world);
    expect(await world.run(60, isIn(world, 0, "pause"))).toBe(true);
    world.say("the store goes away: the step is not judged");
    world.fleet.storeIsUp = false;
    // The pods say so before a sample is large enough.
    await world.run(3);
    world.gates["step 1"] = { analysis: { kind: "fail", why: "every publish fails" } };
    await world.run(67);
    world.say("the store is back");
    world.gates = {};
    world.fleet.storeIsUp = true;
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "failing-candidate"(world) {
    await begin(world, { steps: STEPS });
    world.setSpec({ moves: { maxPerSecond: 5, emergencyMaxPerSecond: 50 } });
    roll(world);
    expect(await world.run(60, isIn(world, 1, "pause"))).toBe(true);
    world.say("a pod of the candidate is not ready any more, and the analysis fails: back at the emergency pace");
    world.isEmergency = true;
    const broken = world.facts().pods.find((pod) => pod.revision === candidateOf(world)?.revision)?.uid ?? "";
    world.fleet.unready.add(broken);
    world.gates["step 2"] = { analysis: { kind: "fail", why: "a pod fails its checks" } };
    await world.run(1);
    const since = world.nowMs;
    expect(await world.run(60, () => heldBy(world, "chat:1") === 200)).toBe(true);
    expect(world.nowMs - since).toBeLessThan(10_000);
    world.fleet.unready.clear();
    expect(await world.run(60, isAt(world, "chat:1"))).toBe(true);
  },
  async "edge-that-cannot-share"(world) {
    world.fleet.canShare = false;
    await begin(world, { steps: STEPS });
    roll(world);
    expect(await world.run(60, isWaitingFor(world, "EdgeNotAcknowledged"))).toBe(true);
    expect(await world.run(120, isAt(world, "chat:1"))).toBe(true);
    expect(heldBy(world, "chat:1")).toBe(200);
  },
  async "steps-taken-away"(world) {
    await begin(world, { steps: STEPS });
    roll(world);
    expect(await world.run(60, isIn(world, 1, "move"))).toBe(true);
    world.say("the user takes the steps away while they run");
    change(world, { steps: [] });
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "no-progress-and-pause"(world) {
    await begin(world, { onFailure: "Pause" });
    world.say("30 clients refuse every move");
    world.fleet.arrive(30, "stubborn");
    roll(world);
    expect(await world.run(150, isWaitingFor(world, "RolloutPaused"))).toBe(true);
    await world.run(90);
    expect(candidateOf(world)?.step).toBe("move");
    world.say("somebody gives up");
    change(world, { abortedAttempt: attemptOf(world) });
    expect(await world.run(150, isAt(world, "chat:1"))).toBe(true);
  },
};

describeStories(SPEC, STORIES);
