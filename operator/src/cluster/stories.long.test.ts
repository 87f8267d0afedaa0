// Stories of a small fleet, told second by second. The files in testdata/ are what happened; every story is told again in
// shuffled order and must come to the same end. Write them anew with WSC_WRITE_GOLDEN=1.
import { expect } from "vitest";
import { connectionsOf } from "./facts.ts";
import { describeStories, type Story } from "./testing/stories.suite.ts";
import type { Told } from "./testing/live-world.ts";
import type { Spec } from "./testing/world.ts";

const server = (image: string) => ({ image });
const SPEC: Spec = {
  replicas: 3,
  server: server("chat:1"),
  redis: { url: "redis://store:6379" },
  rollout: { retainSeconds: 5, progressDeadlineSeconds: 60 },
  moves: { maxPerSecond: 25 },
};

async function begin(world: Told): Promise<void> {
  world.say("apply: 3 pods of chat:1");
  await world.run(10);
  world.say("100 clients connect");
  world.fleet.arrive(100);
  await world.run(2);
}

/** The same with so many nodes. */
async function beginOn(world: Told, nodes: number): Promise<void> {
  for (let node = 2; node <= nodes; node++) world.addNode(`node-${node}`);
  await begin(world);
}

const isLeft = (world: Told, node: string): boolean =>
  world.facts().pods.every((pod) => pod.node !== node) &&
  world.facts().pods.length === world.facts().spec.replicas &&
  world.facts().pods.every((pod) => pod.ready);

const isAt = (world: Told, image: string) => () =>
  world.facts().sets.length > 0 &&
  world.facts().sets.every((set) => (set.image === image ? set.role === "stable" : set.step === "history"));

/** So many connections are still to move. */
const rolloutPart = (world: Told, from: number, to: number) => () => {
  const { sets, pods } = world.facts();
  const candidate = sets.find((set) => set.role === "candidate" && set.step === "move");
  const left = pods
    .filter((pod) => pod.revision !== candidate?.revision)
    .reduce((sum, pod) => sum + (connectionsOf(pod) ?? 0), 0);
  return candidate !== undefined && left >= from && left <= to;
};

const STORIES: Record<string, Story> = {
  async "blue-green"(world) {
    await begin(world);
    world.arrivalsPerSecond = 1;
    world.say("the image becomes chat:2; a client arrives every second");
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
    world.arrivalsPerSecond = 0;
    await world.run(3);
  },
  async "bad-image"(world) {
    await begin(world);
    world.say("the image becomes chat:bad, which nobody can pull");
    world.setSpec({ server: server("chat:bad") });
    await world.run(70);
    world.say("the image is corrected to chat:2");
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "operator-restart"(world) {
    await begin(world);
    world.say("the image becomes chat:2");
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, rolloutPart(world, 20, 80))).toBe(true);
    world.say("the operator is killed; the status is wiped");
    world.operatorIsUp = false;
    world.wipeStatus();
    await world.run(5);
    world.say("the operator is back");
    world.restartOperator();
    world.operatorIsUp = true;
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "store-away"(world) {
    await begin(world);
    world.say("the image becomes chat:2");
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, rolloutPart(world, 20, 80))).toBe(true);
    world.say("the store goes away");
    world.fleet.storeIsUp = false;
    await world.run(70);
    world.say("the store is back");
    world.fleet.storeIsUp = true;
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "abort-after-switch"(world) {
    await begin(world);
    world.say("the image becomes chat:2");
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, rolloutPart(world, 40, 80))).toBe(true);
    const attempt = world.status.rollout?.attempt ?? "";
    world.say(`abort ${attempt}`);
    world.setSpec({ rollout: { retainSeconds: 5, progressDeadlineSeconds: 60, abortedAttempt: attempt } });
    expect(
      await world.run(60, () => world.facts().sets.every((set) => set.image === "chat:1" || set.step === "history")),
    ).toBe(true);
    await world.run(5);
    world.say("something else is wanted, and then chat:2 again: the revision is not poisoned");
    world.setSpec({ server: server("chat:1") });
    await world.run(2);
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "scale-down"(world) {
    await begin(world);
    world.say("replicas: 1");
    world.setSpec({ replicas: 1 });
    expect(await world.run(60, () => world.facts().pods.length === 1)).toBe(true);
    await world.run(3);
    world.say("replicas: 2");
    world.setSpec({ replicas: 2 });
    await world.run(5);
  },
  async "scale-to-zero"(world) {
    world.say("apply: 3 pods of chat:1");
    await world.run(8);
    world.fleet.arrive(2);
    await world.run(2);
    world.say("replicas: 0, while two clients are connected");
    world.setSpec({ replicas: 0 });
    await world.run(10);
    world.say("they leave");
    world.fleet.hangUp();
    await world.run(15);
    world.say("the image becomes chat:2 at zero, then replicas: 2");
    world.setSpec({ server: server("chat:2") });
    await world.run(5);
    world.setSpec({ replicas: 2 });
    await world.run(10);
    expect(world.facts().pods.map((pod) => pod.ready)).toEqual([true, true]);
  },
  async "edge-roll"(world) {
    await begin(world);
    world.say("the edge's image becomes haproxy:2");
    world.setSpec({ edge: { image: "haproxy:2" } });
    expect(await world.run(60, () => world.facts().edgeSets.every((set) => set.image === "haproxy:2"))).toBe(true);
  },
  async "plain-clients"(world) {
    await begin(world);
    world.say("10 clients connect that cannot migrate, and 2 that refuse every move");
    world.fleet.arrive(10, "plain");
    world.fleet.arrive(2, "stubborn");
    await world.run(2);
    world.say("the image becomes chat:2");
    world.setSpec({ server: server("chat:2"), disruption: { deadlineSeconds: 20 } });
    expect(await world.run(150, isAt(world, "chat:2"))).toBe(true);
    expect(world.status.rollout).toMatchObject({ moved: 100, cut: 10 });
    expect(
      await world.run(100, () => world.facts().pods.every((pod) => pod.revision === world.facts().wanted.servers)),
    ).toBe(true);
  },
  async "refused-by-many"(world) {
    await begin(world);
    world.say("20 more refuse every move: that is the candidate's fault, as far as anybody can know");
    world.fleet.arrive(20, "stubborn");
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(150, () => world.facts().sets.some((set) => set.aborted !== undefined))).toBe(true);
    await world.run(40);
    expect(world.facts().sets.find((set) => set.role === "stable")?.image).toBe("chat:1");
  },
  async "drain-deadline"(world) {
    await begin(world);
    world.say("on each pod sits a client that refuses every move; replicas: 2");
    world.fleet.arrive(3, "stubborn");
    await world.run(2);
    world.setSpec({ replicas: 2, disruption: { deadlineSeconds: 20 } });
    await world.run(10);
    world.say("the operator is replaced: the deadline goes on");
    world.restartOperator();
    expect(await world.run(90, () => world.facts().pods.length === 2)).toBe(true);
  },
  async "replicas-removed"(world) {
    world.fleet.capacity = 60;
    world.setSpec({ replicas: 6 });
    world.say("apply: 6 pods with room for 60 each");
    await world.run(10);
    world.fleet.arrive(300);
    await world.run(2);
    world.say("`replicas` is gone from a manifest: 2 by default");
    // As an apply of a whole file does it: what is not in it is gone.
    world.setSpec({ replicas: undefined });
    await world.run(5);
    expect(world.facts().pods).toHaveLength(6);
    expect(world.status.conditions?.find(({ type }) => type === "Progressing")?.reason).toBe("ScaleDownHeld");
    world.say("200 clients leave: now it is possible");
    world.fleet.hangUp();
    world.fleet.arrive(100);
    expect(await world.run(90, () => world.facts().pods.length === 2)).toBe(true);
  },
  async "deadline-under-freeze"(world) {
    await beginOn(world, 2);
    world.say("the store goes away, and somebody deletes a pod: it keeps its clients until its time is nearly over");
    world.fleet.storeIsUp = false;
    await world.run(2);
    world.deletePod(world.facts().pods[0]?.name ?? "");
    expect(await world.run(40, () => !world.facts().pods.some((pod) => pod.deleting))).toBe(true);
    world.say("the store is back, and so are those who lost their socket");
    world.fleet.storeIsUp = true;
    world.fleet.arrive(100 - world.fleet.connections);
    await world.run(5);
    expect(world.status.moves?.cutUnderFreeze).toBeGreaterThan(0);
    // Without the store nobody could move: what was on it lost its socket, and that is counted, not hidden.
    world.faults.length = 0;
    world.fleet.cut = 0;
  },
  async "held-drain"(world) {
    await begin(world);
    world.say("replicas: 2; before anybody has moved, moves are paused for three deadlines");
    world.setSpec({ replicas: 2, disruption: { deadlineSeconds: 20 }, moves: { maxPerSecond: 5 } });
    expect(await world.run(20, () => world.facts().pods.some((pod) => pod.set === "draining"))).toBe(true);
    await world.run(2);
    world.setSpec({ moves: { maxPerSecond: 5, paused: true } });
    await world.run(60);
    world.say("moves go on: the time that was left is enough");
    world.setSpec({ moves: { maxPerSecond: 5 } });
    expect(await world.run(30, () => world.facts().pods.length === 2)).toBe(true);
    expect(world.status.connections).toBe(100);
  },
  async "drain-without-operator"(world) {
    await begin(world);
    world.say("a client on each pod refuses every move; replicas: 2, and the operator goes away for good");
    world.fleet.arrive(3, "stubborn");
    await world.run(2);
    world.setSpec({ replicas: 2, disruption: { deadlineSeconds: 20 } });
    expect(await world.run(20, () => world.facts().pods.some((pod) => pod.set === "draining"))).toBe(true);
    // It was told before it was detached: an operator that is gone from now on has nothing to say any more.
    const hasDeadline = () => [...world.fleet.servers.values()].some((one) => one.deadlineAtMs !== undefined);
    expect(hasDeadline()).toBe(true);
    world.operatorIsUp = false;
    await world.run(100, () => world.facts().pods.some((pod) => pod.set === "draining" && !pod.ready));
    world.say("the pod is empty and not ready: it can be evicted; the operator is back");
    expect(world.facts().pods.some((pod) => pod.set === "draining" && !pod.ready)).toBe(true);
    world.restartOperator();
    world.operatorIsUp = true;
    expect(await world.run(10, () => world.facts().pods.length === 2)).toBe(true);
  },
  async cordon(world) {
    await beginOn(world, 3);
    world.say("node-1 is cordoned");
    world.setNode("node-1", { unschedulable: true });
    expect(await world.run(60, () => isLeft(world, "node-1"))).toBe(true);
    await world.run(3);
    world.say("node-2 is cordoned, and uncordoned before its pod's replacement is ready");
    world.setNode("node-2", { unschedulable: true });
    await world.run(2);
    world.setNode("node-2", {});
    await world.run(20);
  },
  async "node-drain"(world) {
    await beginOn(world, 2);
    world.say("kubectl drain node-1");
    world.drainNode("node-1");
    expect(await world.run(90, () => isLeft(world, "node-1"))).toBe(true);
    await world.run(5);
  },
  async "node-drain-without-operator"(world) {
    await beginOn(world, 2);
    world.say("the operator goes away; kubectl drain node-1");
    world.operatorIsUp = false;
    world.drainNode("node-1");
    expect(await world.run(120, () => isLeft(world, "node-1"))).toBe(true);
    world.say("the operator is back");
    world.restartOperator();
    world.operatorIsUp = true;
    await world.run(10);
  },
  async "cordon-all-then-drain"(world) {
    await beginOn(world, 2);
    world.say("both nodes are cordoned, then drained; a new node comes 20 s later");
    world.drainNode("node-1");
    world.drainNode("node-2");
    await world.run(20);
    world.addNode("node-9");
    expect(await world.run(120, () => isLeft(world, "node-1") && isLeft(world, "node-2"))).toBe(true);
    await world.run(5);
  },
  async "node-removed"(world) {
    await beginOn(world, 2);
    world.say("node-1 is going to be removed");
    world.isEmergency = true;
    world.setNode("node-1", { taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] });
    expect(await world.run(60, () => isLeft(world, "node-1"))).toBe(true);
    await world.run(5);
  },
  async "pod-deleted"(world) {
    await beginOn(world, 2);
    world.setSpec({ moves: { maxPerSecond: 2, emergencyMaxPerSecond: 20 } });
    world.say("somebody deletes a pod");
    world.deletePod(world.facts().pods[0]?.name ?? "");
    expect(
      await world.run(30, () => world.facts().pods.length === 3 && !world.facts().pods.some((pod) => pod.deleting)),
    ).toBe(true);
    await world.run(5);
  },
  async pressure(world) {
    await begin(world);
    world.say("the image becomes chat:2, whose pods bear only few arrivals a second");
    world.fleet.arrive(200);
    world.fleet.pressureOf = (pod) => (pod.recent > 4 ? 0.85 : 0.2);
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, () => world.status.rollout?.limitedBy === "Pressure")).toBe(true);
    const { etaSeconds = 0, etaEarliestSeconds = 0, etaLatestSeconds = 0 } = world.status.rollout ?? {};
    expect(etaEarliestSeconds).toBeLessThanOrEqual(etaSeconds);
    expect(etaLatestSeconds).toBeGreaterThan(etaSeconds);
    expect(await world.run(120, isAt(world, "chat:2"))).toBe(true);
  },
  async "kill-switches"(world) {
    await begin(world);
    world.say("the image becomes chat:2");
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, rolloutPart(world, 20, 80))).toBe(true);
    world.say("`moves.paused`, for longer than the progress deadline");
    world.setSpec({ moves: { maxPerSecond: 25, paused: true } });
    await world.run(70);
    world.say("the operator's own switch instead");
    world.operatorPaused = true;
    world.setSpec({ moves: { maxPerSecond: 25 } });
    await world.run(5);
    world.say("both are off");
    world.operatorPaused = false;
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "maintenance-window"(world) {
    // The story begins at midnight, UTC.
    const windows = [{ start: "00:01", durationMinutes: 1 }];
    world.setSpec({ moves: { maxPerSecond: 1, windows } });
    await begin(world);
    world.say("outside of the window the image becomes chat:2 and replicas 2: nothing begins");
    world.setSpec({ server: server("chat:2"), replicas: 2 });
    await world.run(46);
    world.say("a minute of moves, and a day of none");
    expect(await world.run(90, rolloutPart(world, 1, 70))).toBe(true);
    expect(await world.run(90, () => world.status.moves?.held === "OutsideWindow")).toBe(true);
    expect(rolloutPart(world, 1, 70)()).toBe(true);
    await world.run(20);
    world.say("the user takes the windows away");
    world.setSpec({ moves: { maxPerSecond: 25 } });
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
  },
  async "evacuation-outside-window"(world) {
    world.setSpec({ moves: { maxPerSecond: 25, windows: [{ start: "12:00", durationMinutes: 60 }] } });
    await beginOn(world, 2);
    world.say("replicas: 2, and a node is going to be removed: only the latter moves anybody");
    world.isEmergency = true;
    world.setSpec({ replicas: 2 });
    world.setNode("node-1", { taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] });
    expect(await world.run(60, () => world.facts().pods.every((pod) => pod.node !== "node-1"))).toBe(true);
    await world.run(5);
    // Replacements that were ready before fewer could be asked for stay until somebody may be scaled down again.
    world.say("the windows are taken away");
    world.setSpec({ moves: { maxPerSecond: 25 } });
    expect(await world.run(60, () => world.facts().pods.length === 2)).toBe(true);
    await world.run(10);
  },
  async restart(world) {
    await begin(world);
    world.say("restartAt is 20 s from now");
    world.setSpec({ restartAt: new Date(world.nowMs + 20_000).toISOString() });
    await world.run(19);
    expect(world.facts().sets).toHaveLength(1);
    const isRestarted = () => {
      const { sets } = world.facts();
      return sets.length === 2 && sets.every((set) => set.role === "stable" || set.step === "history");
    };
    expect(await world.run(60, isRestarted)).toBe(true);
    world.say("restartAt is taken away, and then lies in the past: nothing happens");
    const writes = world.actions;
    world.setSpec({ restartAt: undefined });
    await world.run(5);
    world.setSpec({ restartAt: "2029-01-01T00:00:00Z" });
    await world.run(5);
    expect(world.actions).toBe(writes);
    world.say("another one in the future, and before it comes a new image");
    world.setSpec({ restartAt: new Date(world.nowMs + 600_000).toISOString() });
    await world.run(5);
    expect(world.actions).toBe(writes);
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, isAt(world, "chat:2"))).toBe(true);
    world.setSpec({ restartAt: undefined });
  },
  async recycle(world) {
    world.setSpec({ moves: { maxPerSecond: 25, recycleAfterSeconds: 3_600 } });
    await begin(world);
    const young = () =>
      world.facts().pods.length === 3 && world.facts().pods.every((pod) => world.nowMs - pod.createdAtMs < 600_000);
    world.say("an hour passes");
    world.nowMs += 3_600_000;
    expect(await world.run(90, young)).toBe(true);
    await world.run(5);
  },
  async "three-revisions"(world) {
    await begin(world);
    world.say("the image becomes chat:2");
    world.setSpec({ server: server("chat:2") });
    expect(await world.run(60, rolloutPart(world, 40, 80))).toBe(true);
    world.say("the image becomes chat:3 in mid-move");
    world.setSpec({ server: server("chat:3") });
    expect(await world.run(90, isAt(world, "chat:3"))).toBe(true);
  },
};

describeStories(SPEC, STORIES);
