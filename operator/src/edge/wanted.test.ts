import type { EdgeInstructions } from "@wscluster/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ServerPod } from "./pods.ts";
import { NO_MEMORY, wantedEdge, type EdgeMemory } from "./wanted.ts";

function pod(key: string, revision: string, more: Partial<ServerPod> = {}): ServerPod {
  return { key, address: "10.0.0.1", port: 1, adminPort: 2, revision, isEligible: true, isReady: true, ...more };
}

const follow = (generation: number, ...takesNew: string[]): EdgeInstructions => ({ generation, takesNew });
const statesOf = (pods: ServerPod[], instructions: EdgeInstructions | undefined, before: EdgeMemory) => {
  const { servers, memory, held } = wantedEdge(pods, instructions, before);
  return {
    states: Object.fromEntries(servers.map(({ key, state }) => [key, state])),
    generation: memory.generation,
    held,
  };
};

describe("wantedEdge", () => {
  const blue: EdgeMemory = { generation: 3, takesNew: ["blue"], readyKeys: ["b1"] };

  it("knows every pod and opens those that are ready, eligible and of a revision that takes new ones", () => {
    const pods = [
      pod("b1", "blue"),
      pod("b2", "blue", { isReady: false }),
      pod("b3", "blue", { isEligible: false }),
      pod("g1", "green"),
    ];
    expect(statesOf(pods, follow(1, "blue"), NO_MEMORY)).toEqual({
      states: { b1: "ready", b2: "drain", b3: "drain", g1: "drain" },
      generation: 1,
      held: undefined,
    });
  });

  it.each([
    ["an empty list keeps the last list and is acknowledged", follow(4), 4, "nobody-takes-new"],
    ["missing instructions keep the last ones", undefined, 3, "no-instructions"],
    ["a list without a ready pod is held back", follow(4, "green"), 3, "nobody-is-ready-yet"],
  ] as const)("%s", (_, instructions, generation, held) => {
    const pods = [pod("b1", "blue"), pod("g1", "green", { isReady: false })];
    expect(statesOf(pods, instructions, blue)).toEqual({ states: { b1: "ready", g1: "drain" }, generation, held });
  });

  it("follows a list without a ready pod when the last one has none either", () => {
    const pods = [pod("b1", "blue", { isReady: false }), pod("g1", "green", { isReady: false })];
    expect(statesOf(pods, follow(4, "green"), blue)).toMatchObject({ generation: 4 });
  });

  it("gives a share to the ready pods of its revision, and all to them where nobody else is left", () => {
    const share = { revision: "green", percent: 5 };
    const green = [pod("g2", "green"), pod("g1", "green"), pod("g3", "green", { isReady: false })];
    const led = wantedEdge([pod("b1", "blue"), ...green], { ...follow(4, "blue"), share }, blue);
    expect(led.share).toEqual({ percent: 5, keys: ["g1", "g2"] });
    expect(led.servers.filter((server) => server.state === "ready").map((server) => server.key)).toEqual(["b1"]);
    const alone = wantedEdge(green, { ...follow(4, "blue"), share }, led.memory);
    expect(alone.share).toBeUndefined();
    expect(alone.servers.filter((server) => server.state === "ready").map((server) => server.key)).toEqual([
      "g2",
      "g1",
    ]);
    // The memory keeps it over a time without instructions.
    expect(wantedEdge([pod("b1", "blue"), ...green], undefined, led.memory).share).toEqual(led.share);
  });

  it("leaves those open that lost Ready all at once, and closes them one by one otherwise", () => {
    const memory = { ...blue, readyKeys: ["b1", "b2"] };
    const down = { isReady: false };
    expect(statesOf([pod("b1", "blue", down), pod("b2", "blue", down)], follow(3, "blue"), memory)).toEqual({
      states: { b1: "ready", b2: "ready" },
      generation: 3,
      held: "nobody-is-ready-any-more",
    });
    expect(statesOf([pod("b1", "blue", down), pod("b2", "blue")], follow(3, "blue"), memory).states).toEqual({
      b1: "drain",
      b2: "ready",
    });
    // Leaving is no fault: whoever is deleted or detached is closed, also the last.
    expect(statesOf([pod("b1", "blue", { isEligible: false })], follow(3, "blue"), blue).states).toEqual({
      b1: "drain",
    });
  });

  const anyPod = fc.record({
    key: fc.constantFrom("k1", "k2", "k3", "k4"),
    revision: fc.constantFrom("blue", "green"),
    isEligible: fc.boolean(),
    isReady: fc.boolean(),
  });
  const anyPods = fc
    .uniqueArray(anyPod, { selector: ({ key }) => key })
    .map((list) => list.map(({ key, revision, ...more }) => pod(key, revision, more)));
  const anyInstructions = fc.option(
    fc.record({
      generation: fc.integer({ min: 1, max: 9 }),
      takesNew: fc.subarray(["blue", "green"]),
    }),
    { nil: undefined },
  );

  it("is stable: the same facts again give the same answer", () => {
    fc.assert(
      fc.property(anyPods, anyInstructions, anyPods, anyInstructions, (pods, instructions, pods2, instructions2) => {
        const first = wantedEdge(pods, instructions, NO_MEMORY);
        const second = wantedEdge(pods2, instructions2, first.memory);
        expect(wantedEdge(pods2, instructions2, second.memory)).toEqual(second);
      }),
    );
  });

  it("acknowledges a generation only if who takes new ones is of its list or the list is empty", () => {
    fc.assert(
      fc.property(anyPods, anyInstructions, anyPods, anyInstructions, (pods, instructions, pods2, instructions2) => {
        const first = wantedEdge(pods, instructions, NO_MEMORY);
        const second = wantedEdge(pods2, instructions2, first.memory);
        const isNew = second.memory.generation !== first.memory.generation;
        const list = instructions2?.takesNew ?? [];
        const open = new Set(second.servers.filter(({ state }) => state === "ready").map(({ key }) => key));
        const strangers = pods2.filter(({ key, revision }) => open.has(key) && !list.includes(revision));
        expect(isNew && list.length > 0 ? strangers : []).toEqual([]);
      }),
    );
  });

  it("opens nobody who leaves, and somebody whenever a ready one of the list is there", () => {
    fc.assert(
      fc.property(anyPods, anyInstructions, (pods, instructions) => {
        const { servers, memory } = wantedEdge(pods, instructions, NO_MEMORY);
        const open = new Set(servers.filter(({ state }) => state === "ready").map(({ key }) => key));
        for (const { key, isEligible } of pods) if (!isEligible) expect(open.has(key)).toBe(false);
        for (const { key, isEligible, isReady, revision } of pods)
          if (isEligible && isReady && memory.takesNew.includes(revision)) expect(open.has(key)).toBe(true);
        expect(servers.map(({ key }) => key)).toEqual(pods.map(({ key }) => key));
      }),
    );
  });
});
