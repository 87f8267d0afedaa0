import { describe, expect, it } from "vitest";
import type { CustomObject, KubeApi, KubeObject, Resource } from "../kube/index.ts";
import { KubeError } from "../kube/index.ts";
import { parsePodState } from "../contract/parse-state.ts";
import { World } from "../cluster/testing/world.ts";
import { type WscPorts, wscProgramFor } from "./wsc-program.ts";

type Patch = { readonly kind: string; readonly name: string; readonly patch: unknown };

/** A cluster in the small world, behind an API that shows its objects and notes what is written. */
function stage(prepare: (world: World) => void = () => undefined) {
  const world = new World({
    replicas: 2,
    server: { image: "chat:1" },
    redis: { url: "redis://r" },
    rollout: { promotion: "Manual", retainSeconds: 600 },
  });
  world.run(10);
  world.fleet.arrive(10);
  prepare(world);
  const patches: Patch[] = [];
  const created: unknown[] = [];
  const find = (kind: string, name: string) => {
    const object = world.table.get(kind, name);
    if (object === undefined) throw new KubeError("NotFound", `cannot get ${kind} ${name}: not found`);
    return object;
  };
  const api = {
    get: (resource: Resource, { name }: { name: string }) => Promise.resolve().then(() => find(resource.kind, name)),
    list(resource: Resource, { labelSelector = "" }: { labelSelector?: string } = {}) {
      const wanted = labelSelector.split(",").map((one) => one.split("="));
      const items = world.table
        .list(resource.kind)
        .filter(({ metadata }) => wanted.every(([key = "", value]) => key === "" || metadata.labels?.[key] === value));
      return Promise.resolve({ items, resourceVersion: "1" });
    },
    patch(resource: Resource, { name }: { name: string }, patch: unknown) {
      patches.push({ kind: resource.kind, name, patch });
      return Promise.resolve().then(() => find(resource.kind, name));
    },
    create(_resource: Resource, manifest: KubeObject) {
      created.push(manifest);
      return Promise.resolve(manifest);
    },
    getRaw(path: string) {
      const name = /pods\/([^:]+):8081\/proxy\/contract\/v1\/state$/.exec(path)?.[1] ?? "";
      const state = world.fleet.stateOf(find("Pod", name).metadata.uid);
      return Promise.resolve(JSON.stringify(state));
    },
  } as unknown as KubeApi;
  const printed: string[] = [];
  const codes: number[] = [];
  const ports: WscPorts = {
    withApi: ({ namespace = "apps" }, use) => use({ api, namespace }),
    plan: ({ name, file }) =>
      Promise.resolve({ lines: [`plan of ${name} from ${file ?? "the store"}`], data: {}, code: 0 }),
    contractTest: (options) => Promise.resolve({ lines: [JSON.stringify(options)], data: options, code: 1 }),
    now: () => "2030-01-01T00:00:00.000Z",
    print: (line) => void printed.push(line),
    onExit: (code) => void codes.push(code),
  };
  const wsc = async (...words: string[]) => {
    printed.length = 0;
    codes.length = 0;
    const program = wscProgramFor(ports).exitOverride();
    for (const command of program.commands) {
      command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    }
    await program.parseAsync(["node", "wsc", ...words]);
    return { code: codes[0], text: printed.join("\n"), lines: [...printed] };
  };
  return { world, wsc, patches, created };
}

function waiting(world: World): void {
  world.setSpec({ server: { image: "chat:2" } });
  expect(world.run(30, () => world.status.rollout?.waiting?.reason === "AwaitingApproval")).toBe(true);
}

function moved(world: World): void {
  waiting(world);
  const { attempt = "" } = world.status.rollout ?? {};
  world.setSpec({ rollout: { promotion: "Manual", retainSeconds: 600, approvedAttempt: attempt } });
  expect(world.run(60, () => world.status.rollout?.phase === "complete")).toBe(true);
}

describe("approve and abort", () => {
  it.each(["approve", "abort"])("%s the attempt that runs, by name", async (word) => {
    const { world, wsc, patches } = stage(waiting);
    const { attempt } = world.status.rollout ?? {};
    expect(await wsc(word, "chat")).toMatchObject({ code: 0 });
    const field = word === "approve" ? "approvedAttempt" : "abortedAttempt";
    expect(patches).toEqual([
      { kind: "WebSocketCluster", name: "chat", patch: { spec: { rollout: { [field]: attempt } } } },
    ]);
  });

  it("refuse a stale name, and where nothing runs, and write nothing", async () => {
    const { world, wsc, patches } = stage(waiting);
    const stale = await wsc("approve", "chat", "0123456789/1");
    expect(stale).toMatchObject({ code: 3 });
    expect(stale.text).toBe(`attempt 0123456789/1 is not the one that runs: that is ${world.status.rollout?.attempt}`);
    const calm = stage();
    expect(await calm.wsc("abort", "chat")).toMatchObject({ code: 3, text: "no rollout of chat is running" });
    expect([...patches, ...calm.patches]).toEqual([]);
  });
});

describe("pause and resume", () => {
  it.each<[string[], unknown]>([
    [["pause", "chat"], { moves: { paused: true } }],
    [["pause", "chat", "--rollout"], { rollout: { paused: true } }],
    [["pause", "chat", "--all"], { paused: true }],
  ])("%j", async (words, spec) => {
    const { wsc, patches } = stage();
    expect(await wsc(...words)).toMatchObject({ code: 0 });
    expect(patches.map(({ patch }) => patch)).toEqual([{ spec }]);
  });

  it("says when there is nothing to resume", async () => {
    const { wsc, patches } = stage();
    expect(await wsc("resume", "chat")).toMatchObject({ code: 3 });
    expect(patches).toEqual([]);
  });

  it("makes the operator's switch when nobody made it yet", async () => {
    const { wsc, created } = stage();
    expect(await wsc("pause", "--operator")).toMatchObject({ code: 0 });
    expect(created).toMatchObject([
      { metadata: { namespace: "wscluster-system", name: "wscluster-operator" }, data: { movesPaused: "true" } },
    ]);
    expect(await wsc("resume", "--operator")).toMatchObject({ code: 3 });
  });

  it("wants a name or the switch, not both", async () => {
    const { wsc } = stage();
    await expect(wsc("pause")).rejects.toThrow(/or --operator/);
    await expect(wsc("pause", "chat", "--operator")).rejects.toThrow(/or --operator/);
  });
});

describe("rebalance", () => {
  it("asks for one, approved or only planned, and not twice", async () => {
    const { wsc, created } = stage();
    await wsc("rebalance", "chat");
    const planned = await wsc("rebalance", "chat", "--plan");
    expect(created).toMatchObject([
      { kind: "WebSocketRebalance", spec: { clusterName: "chat", approved: true } },
      { kind: "WebSocketRebalance", spec: { clusterName: "chat" } },
    ]);
    expect(planned.text).toContain("wsc rebalance approve chat-");
    const asked = stage((world) => world.setRebalance("chat-1", {}));
    expect((await asked.wsc("rebalance", "chat")).code).toBe(3);
    expect(asked.created).toEqual([]);
  });

  it("approves, stops and lists, and says when it is too late", async () => {
    const { wsc, patches } = stage((world) => world.setRebalance("chat-1", {}));
    expect((await wsc("rebalance", "approve", "chat-1", "-n", "apps")).code).toBe(0);
    expect((await wsc("rebalance", "stop", "chat-1")).code).toBe(0);
    expect(patches).toEqual([
      { kind: "WebSocketRebalance", name: "chat-1", patch: { spec: { approved: true } } },
      { kind: "WebSocketRebalance", name: "chat-1", patch: { spec: { stopped: true } } },
    ]);
    const listed = await wsc("rebalance", "list", "chat");
    expect(listed.lines.at(-1)).toMatch(/^chat-1 /);
    const over = stage((world) => {
      world.setRebalance("chat-1", { stopped: true });
      world.run(40);
    });
    expect((await over.wsc("rebalance", "approve", "chat-1")).code).toBe(3);
    expect(over.patches).toEqual([]);
  });
});

describe("restart", () => {
  it("is now, or at a time", async () => {
    const { wsc, patches } = stage();
    await wsc("restart", "chat");
    await wsc("restart", "chat", "--at", "2030-02-01T03:00:00+02:00");
    expect(patches.map(({ patch }) => patch)).toEqual([
      { spec: { restartAt: "2030-01-01T00:00:00.000Z" } },
      { spec: { restartAt: "2030-02-01T01:00:00.000Z" } },
    ]);
    expect(await wsc("restart", "chat", "--at", "tomorrow")).toMatchObject({ code: 3 });
  });
});

describe("rollback", () => {
  it("puts back what made the former revision, and tests the version that was read", async () => {
    const { world, wsc, patches } = stage(moved);
    const former = world.facts().sets.find(({ image }) => image === "chat:1");
    const result = await wsc("rollback", "chat");
    expect(result).toMatchObject({ code: 0, text: `chat goes back to blue ${former?.revision} with image chat:1` });
    expect(patches[0]?.patch).toEqual([
      { op: "test", path: "/metadata/resourceVersion", value: world.cluster.metadata.resourceVersion },
      { op: "add", path: "/spec/server", value: { image: "chat:1" } },
      { op: "add", path: "/spec/redis", value: { url: "redis://r" } },
    ]);
    // And that is the revision: nothing new is made.
    world.setSpec({ server: { image: "chat:1" } });
    expect(world.facts().wanted.servers).toBe(former?.revision);
  });

  it("knows the revisions by name", async () => {
    const { world, wsc, patches } = stage(moved);
    const present = world.facts().wanted.servers;
    expect(await wsc("rollback", "chat", present)).toMatchObject({ code: 3 });
    const unknown = await wsc("rollback", "chat", "nothing");
    expect(unknown).toMatchObject({ code: 3 });
    expect(unknown.text).toContain(present);
    expect(patches).toEqual([]);
  });
});

describe("reading", () => {
  it("tells the story with sets and pods, and never a number that nobody knows", async () => {
    const { world, wsc } = stage(waiting);
    const told = await wsc("status", "chat");
    expect(told.text).toContain("Progressing=");
    expect(told.lines.filter((line) => line.startsWith("  chat-"))).toHaveLength(4);
    const silent = world.facts().pods[0];
    world.fleet.servers.delete(silent?.uid ?? "");
    const json: unknown = JSON.parse((await wsc("status", "chat", "--json")).text);
    expect(json).toMatchObject({ name: "chat", status: { rollout: { phase: "approve" } } });
    const row = (await wsc("status", "chat")).lines.find((line) => line.includes(silent?.name ?? "-"));
    expect(row).toContain("unknown");
    expect((await wsc("status", "chat", "--no-pods")).text).not.toContain("PRESSURE");
  });

  it("lists revisions, newest first", async () => {
    const { wsc } = stage(moved);
    const { lines } = await wsc("history", "chat");
    expect(lines.map((line) => line.split(/ +/)[3])).toEqual(["IMAGE", "chat:2", "chat:1"]);
    expect(JSON.parse((await wsc("history", "chat", "--json")).text)).toHaveLength(2);
  });

  it("says which records there are", async () => {
    const { wsc } = stage();
    expect(await wsc("record", "chat")).toMatchObject({ code: 3, text: "chat has no records" });
  });

  it("hands plan and contract test what they were given, and passes their code on", async () => {
    const { wsc } = stage();
    expect((await wsc("plan", "chat", "-f", "chat.yaml")).text).toBe("plan of chat from chat.yaml");
    expect(await wsc("contract", "test", "http://x:1", "--key", "k")).toMatchObject({
      code: 1,
      text: '{"url":"http://x:1","key":"k"}',
    });
  });

  it("passes on what the API server said", async () => {
    const { wsc } = stage();
    await expect(wsc("status", "nobody")).rejects.toThrow(/cannot get WebSocketCluster nobody/);
  });

  it("has a help for every command", () => {
    const program = wscProgramFor({} as WscPorts);
    for (const command of program.commands) expect(command.helpInformation()).toMatch(/^Usage: wsc \S+/);
  });
});

it("the world's pods speak the contract", () => {
  const { world } = stage();
  const pod = world.facts().pods[0];
  expect(parsePodState(world.fleet.stateOf(pod?.uid ?? ""), pod?.key ?? "").ok).toBe(true);
  const cluster: CustomObject = world.cluster;
  expect(cluster.kind).toBe("WebSocketCluster");
});
