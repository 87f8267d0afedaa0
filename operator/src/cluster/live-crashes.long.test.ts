// The real shell dies at every call that leaves it, before it has an effect and before its answer is known; the end is always the
// same, and nobody is cut. And a leader that was stopped between its decision and its writes can do nothing any more.
import { describe, expect, it } from "vitest";
import type { Call, Failpoint } from "./testing/operator-process.ts";
import { LiveWorld, type Told } from "./testing/live-world.ts";
import type { Spec } from "./testing/world.ts";

const SPEC: Spec = {
  replicas: 2,
  server: { image: "chat:1" },
  redis: { url: "redis://store:6379" },
  edge: { replicas: 1 },
  rollout: { retainSeconds: 2 },
  moves: { maxPerSecond: 15 },
};
const SEED = 5;

const isComplete = (world: Told): boolean =>
  world.status.conditions?.some(({ reason }) => reason === "Complete") === true;

/** From nothing through a rollout to fewer pods: every kind of call is in it. */
async function tell(live: LiveWorld): Promise<void> {
  await live.run(8);
  live.world.fleet.arrive(30);
  live.world.setSpec({ server: { image: "chat:2" } });
  await live.run(60, () => live.world.facts().wanted.servers !== "" && hasRolled(live));
  live.world.setSpec({ replicas: 1 });
  await live.run(25);
}

function hasRolled({ world }: LiveWorld): boolean {
  return isComplete(world) && world.facts().sets.every((set) => set.image === "chat:2" || set.step === "history");
}

function endOf({ world }: LiveWorld): unknown {
  const facts = world.facts();
  return {
    connections: world.fleet.connections,
    sets: facts.sets.map(({ image, role, step, replicas, traffic }) => ({ image, role, step, replicas, traffic })),
    pods: facts.pods.map(({ ready, traffic, set }) => ({ ready, traffic, set })),
    takesNew: facts.instructions?.takesNew,
    conditions: world.status.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`),
  };
}

describe("a process that dies", () => {
  it("comes to the same end wherever it died", async () => {
    const calls: Call[] = [];
    const whole = new LiveWorld(SPEC, { seed: SEED, failpoint: (call) => void calls.push(call) });
    await tell(whole);
    whole.end();
    expect(whole.world.faults).toEqual([]);
    expect(whole.world.fleet.connections).toBe(30);
    const end = endOf(whole);
    const kinds = [...new Set(calls.map(({ what }) => what))];
    // The epoch, keys, children, detaching, modes, grants, the status: the places that the design names are all among them.
    for (const what of [
      "patch WebSocketCluster",
      "create Secret",
      "apply ReplicaSet",
      "apply PodDisruptionBudget",
      "patch Pod",
      "/contract/v1/mode",
      "/contract/v1/grants",
      "applyStatus WebSocketCluster",
    ])
      expect(kinds).toContain(what);
    for (let place = 1; place <= calls.length; place++) {
      const live = new LiveWorld(SPEC, {
        seed: SEED,
        failpoint: (_call, at) => (at === place ? "die" : undefined),
      });
      await tell(live);
      live.end();
      const { what, when } = calls[place - 1] ?? { what: "", when: "before" };
      const at = `${when} ${what} (${place} of ${calls.length})`;
      expect({ at, faults: live.world.faults }).toEqual({ at, faults: [] });
      expect({ at, end: endOf(live) }).toEqual({ at, end });
    }
  }, 180_000);

  it("comes to the same end when its status is wiped every second", async () => {
    const [whole, wiped] = [new LiveWorld(SPEC, { seed: SEED }), new LiveWorld(SPEC, { seed: SEED })];
    await tell(whole);
    const { world } = wiped;
    await wiped.run(8);
    world.fleet.arrive(30);
    world.setSpec({ server: { image: "chat:2" } });
    for (let second = 0; second < 60; second++) {
      world.wipeStatus();
      await wiped.run(1);
    }
    world.setSpec({ replicas: 1 });
    for (let second = 0; second < 25; second++) {
      world.wipeStatus();
      await wiped.run(1);
    }
    await wiped.run(10);
    for (const live of [whole, wiped]) live.end();
    expect(world.faults).toEqual([]);
    expect(endOf(wiped)).toEqual(endOf(whole));
  }, 30_000);
});

type Stop = { isArmed: boolean; gate: Promise<void> | undefined; goOn: () => void; failpoint: Failpoint };

/** Holds the first process up before its first call of this kind, once armed; from then on nothing of it gets through. */
function stopBefore(what: string): Stop {
  const stop: Stop = { isArmed: false, gate: undefined, goOn: () => undefined, failpoint: () => stop.gate };
  stop.failpoint = (call) => {
    if (stop.isArmed && stop.gate === undefined && call.what === what && call.when === "before") {
      const { promise, resolve } = Promise.withResolvers<void>();
      stop.gate = promise;
      stop.goOn = () => resolve();
    }
    return stop.gate;
  };
  return stop;
}

describe("two leaders", () => {
  it.each([
    ["a grant", "/contract/v1/grants", "stale-epoch"],
    ["a detachment", "patch Pod guarded", "422"],
    ["a mode", "/contract/v1/mode", "stale-epoch"],
  ])("stop the first one before it writes %s: what it writes later is refused", async (_name, what, refusal) => {
    const stop = stopBefore(what);
    const live = new LiveWorld(
      { ...SPEC, replicas: 3, moves: { maxPerSecond: 2 } },
      { seed: SEED, failpoint: stop.failpoint },
    );
    const { world } = live;
    await live.run(8);
    world.fleet.arrive(60);
    await live.run(2);
    stop.isArmed = true;
    world.setSpec({ replicas: 2 });
    await live.run(20, () => stop.gate !== undefined);
    expect(stop.gate).toBeDefined();
    const first = live.process;
    live.process = live.startProcess();
    // The second one has taken over and does the same, but is not done with it.
    const epochs = () => [...world.fleet.servers.values()].map(({ epoch }) => epoch);
    await live.run(20, () => epochs().includes(2));
    expect(epochs()).toContain(2);
    expect([...live.refusedWrites, ...live.conflicts]).toEqual([]);
    const granted = world.fleet.granted.length;
    stop.goOn();
    await live.clock.advance(0);
    expect([...live.refusedWrites, ...live.conflicts].join()).toContain(refusal);
    expect(world.fleet.granted).toHaveLength(granted);
    await live.run(60, () => world.facts().pods.length === 2);
    expect(world.facts().pods).toHaveLength(2);
    expect(world.faults).toEqual([]);
    expect(world.fleet.connections).toBe(60);
    first.die();
    live.end();
  });

  it("stop the first one before it shrinks a set: the set was taken back meanwhile, and stays", async () => {
    const stop = stopBefore("apply ReplicaSet guarded");
    const live = new LiveWorld(SPEC, { seed: SEED, failpoint: stop.failpoint });
    const { world } = live;
    await live.run(8);
    world.fleet.arrive(30);
    stop.isArmed = true;
    world.setSpec({ server: { image: "chat:2" } });
    await live.run(60, () => stop.gate !== undefined);
    expect(stop.gate).toBeDefined();
    const first = live.process;
    live.process = live.startProcess();
    // Before the second one retires it, the old image is wanted again: its pods take clients anew.
    world.setSpec({ server: { image: "chat:1" } });
    const old = () => world.facts().sets.find((set) => set.image === "chat:1");
    await live.run(60, () => old()?.role === "stable" && old()?.traffic === "active");
    await live.run(5);
    const held = world.facts().pods.filter((pod) => pod.revision === old()?.revision);
    expect(held).toHaveLength(2);
    stop.goOn();
    await live.run(1);
    expect(live.conflicts.join()).toContain("409");
    await live.run(20);
    expect(old()).toMatchObject({ role: "stable", replicas: 2 });
    expect(world.faults).toEqual([]);
    expect(world.fleet.connections).toBe(30);
    first.die();
    live.end();
  });
});
