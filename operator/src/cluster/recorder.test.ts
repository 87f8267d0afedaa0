import { describe, expect, it } from "vitest";
import type { ConfigMap, KubeApi, Manifest } from "../kube/index.ts";
import type { ClusterFacts } from "./facts.ts";
import type { Plan } from "./plan.ts";
import { boundedText, RECORD_BYTES, RECORD_KEYS } from "./recording.ts";
import { Recorder } from "./recorder.ts";
import { World } from "./testing/world.ts";

/** ConfigMaps by name, as an API server and a cache that is never behind. */
function store() {
  const maps = new Map<string, ConfigMap>();
  const api = {
    apply(_resource: unknown, manifest: Manifest) {
      const { name } = manifest.metadata;
      const metadata = { ...manifest.metadata, uid: `uid-${name}`, resourceVersion: "1" };
      const map = { ...manifest, metadata } as unknown as ConfigMap;
      maps.set(name, map);
      return Promise.resolve(map);
    },
    delete(_resource: unknown, { name }: { name: string }) {
      maps.delete(name);
      return Promise.resolve({ kind: "deleted" });
    },
  } as unknown as Pick<KubeApi, "apply" | "delete">;
  return { maps, api };
}

/** A world whose passes are recorded; gives the seconds at which it was written. */
function recorded(limit = 5) {
  const world = new World({
    replicas: 2,
    server: { image: "chat:1" },
    redis: { url: "redis://r" },
    rollout: { retainSeconds: 2, revisionHistoryLimit: limit },
    moves: { maxPerSecond: 5 },
  });
  const { maps, api } = store();
  const writes: number[] = [];
  const of = { api, stored: () => [...maps.values()], monotonicMs: () => world.nowMs };
  let recorder = new Recorder(of);
  const pending: Promise<unknown>[] = [];
  world.onPass = (facts: ClusterFacts, plan: Plan, grants) => {
    recorder.note(facts, plan, grants);
    const before = maps.get(nameOf(plan) ?? "");
    // The store of this test answers in the same turn: nothing is awaited before the apply.
    pending.push(recorder.flush(facts, plan, new AbortController().signal));
    if (maps.get(nameOf(plan) ?? "") !== before) writes.push(world.nowMs);
  };
  const nameOf = (plan: Plan) =>
    plan.status.rollout === undefined ? undefined : `chat-record-${plan.status.rollout.attempt.replace("/", "-")}`;
  return {
    world,
    maps,
    writes,
    restart: () => void (recorder = new Recorder(of)),
    /** Second by second, each write done before the next pass. */
    async run(seconds: number): Promise<void> {
      for (let second = 0; second < seconds; second++) {
        world.run(1);
        await Promise.all(pending.splice(0));
      }
    },
    linesOf: (image: string) => {
      const set = world.facts().sets.find((one) => one.image === image);
      const map = maps.get(`chat-record-${set?.attempt.replace("/", "-")}`);
      return (map?.data?.[RECORD_KEYS.lines] ?? "").split("\n");
    },
  };
}

const wordOf = (line: string): string => line.slice(line.indexOf(" ") + 1);

describe("the flight recorder", () => {
  it("tells an attempt from begin to end, seldom, and is silent before and after", async () => {
    const { world, maps, writes, run, linesOf } = recorded();
    await run(10);
    world.fleet.arrive(60);
    await run(5);
    expect(maps.size).toBe(0);
    world.setSpec({ server: { image: "chat:2" } });
    await run(60);
    const lines = linesOf("chat:2").map(wordOf);
    expect(lines[0]).toMatch(/^recording attempt \w+\/1 from step provision on$/);
    expect(lines.some((line) => line.startsWith("step settle -> move"))).toBe(true);
    expect(lines.some((line) => line.startsWith("RolloutStarted: "))).toBe(true);
    expect(lines.find((line) => line.startsWith("asked"))).toMatch(/^asked \d+ in \d+ grants; so far \d+ moved/);
    expect(lines.some((line) => line.startsWith("RolloutComplete: "))).toBe(true);
    const asked = lines.flatMap((line) => /^asked (\d+)/.exec(line)?.[1] ?? []).map(Number);
    expect(asked.reduce((sum, count) => sum + count, 0)).toBe(60);
    const gaps = writes.slice(1).map((atMs, index) => atMs - (writes[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5_000);
    const count = writes.length;
    await run(120);
    expect(writes).toHaveLength(count);
  });

  it("goes on in the same record when the operator is another one", async () => {
    const { world, restart, run, linesOf } = recorded();
    await run(10);
    world.fleet.arrive(60);
    world.setSpec({ server: { image: "chat:2" } });
    await run(16);
    const before = linesOf("chat:2");
    restart();
    world.restartOperator();
    await run(40);
    const after = linesOf("chat:2");
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.filter((line) => line.includes("recording attempt"))).toHaveLength(2);
    expect(after.some((line) => line.includes("RolloutComplete"))).toBe(true);
  });

  it("keeps as many records as revisions", async () => {
    const { world, maps, run, linesOf } = recorded(2);
    await run(10);
    for (const image of ["chat:2", "chat:3", "chat:4"]) {
      world.setSpec({ server: { image } });
      await run(40);
    }
    expect(maps.size).toBe(2);
    expect(linesOf("chat:4").length).toBeGreaterThan(3);
  });
});

describe("boundedText", () => {
  it("keeps the begin and the end, and counts what is gone, however often it is cut", () => {
    const long = Array.from({ length: 3_000 }, (_none, index) => `line ${index} ${"x".repeat(40)}`);
    const once = boundedText(long);
    expect(Buffer.byteLength(once)).toBeLessThanOrEqual(RECORD_BYTES);
    expect(once.startsWith("line 0 ")).toBe(true);
    const again = boundedText([...once.split("\n"), ...long.map((line) => `2 ${line}`)]).split("\n");
    const gone = again.flatMap((line) => /^\.\.\. (\d+) lines/.exec(line)?.[1] ?? []);
    expect(gone).toHaveLength(1);
    expect(Number(gone[0]) + again.length - 1).toBe(6_000);
    expect(again.at(-1)).toMatch(/^2 line 2999 /);
  });
});
