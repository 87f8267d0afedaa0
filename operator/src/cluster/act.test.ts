// The shell that acts, with faked ports: order, the stop at the first failure, and what it refuses by itself.
import { NO_BALANCE } from "./decide/balance/balance.ts";
import { describe, expect, it } from "vitest";
import {
  Applier,
  KubeError,
  type KubeApi,
  type KubeObject,
  type Manifest,
  OwnWrites,
  type Resource,
  type Store,
} from "../kube/index.ts";
import type { JsonAnswer } from "../contract/http-json.ts";
import { ContractWriter } from "../contract/writer.ts";
import { act, type ActContext, type ActPorts } from "./act.ts";
import { ClusterMemory } from "./memory.ts";
import type { Action, Plan } from "./plan.ts";
import { World } from "./testing/world.ts";

type Sent = { readonly what: string; readonly body?: unknown };

function stage(
  options: {
    live?: KubeObject[];
    /** What a live read finds, where that is not what is cached. */
    found?: KubeObject[];
    fail?: (what: string) => Error | undefined;
    leads?: () => boolean;
    answer?: () => JsonAnswer;
  } = {},
) {
  const world = new World({ replicas: 2, server: { image: "chat:1" }, redis: { url: "redis://r:6379" } });
  world.run(8);
  const facts = world.facts();
  const sent: Sent[] = [];
  const note = (what: string, body?: unknown): void => {
    const error = options.fail?.(what);
    if (error !== undefined) throw error;
    sent.push({ what, body });
  };
  const objectOf = (manifest: Manifest): KubeObject => ({
    ...manifest,
    metadata: { ...manifest.metadata, uid: "u1", resourceVersion: "9" },
  });
  const find = (kind: string, name: string) =>
    (options.found ?? options.live ?? []).find((object) => object.kind === kind && object.metadata.name === name);
  const api = {
    find: (resource: Resource, ref: { name: string }) => Promise.resolve(find(resource.kind, ref.name)),
    apply(_resource: Resource, manifest: Manifest) {
      note(`apply ${manifest.kind} ${manifest.metadata.name}`, manifest);
      return Promise.resolve(objectOf(manifest));
    },
    create(_resource: Resource, manifest: Manifest) {
      note(`create ${manifest.kind} ${manifest.metadata.name}`, manifest);
      return Promise.resolve(objectOf(manifest));
    },
    patch(_resource: Resource, ref: { name: string }, patch: unknown) {
      note(`patch ${ref.name}`, patch);
      const metadata = { name: ref.name, uid: "u1", resourceVersion: "9" };
      return Promise.resolve({ apiVersion: "v1", kind: "Pod", metadata });
    },
    delete(resource: Resource, ref: { name: string }, given: unknown) {
      note(`delete ${resource.kind} ${ref.name}`, given);
      const metadata = { name: ref.name, namespace: "apps", uid: "u9", resourceVersion: "9" };
      return Promise.resolve({ kind: "terminating", object: { apiVersion: "v1", kind: resource.kind, metadata } });
    },
  } as unknown as KubeApi;
  const store = {
    get: (ref: { name: string }) => (options.live ?? []).find((object) => object.metadata.name === ref.name),
  } as unknown as Store<KubeObject>;
  const writer = new ContractWriter((request) => {
    note(`${request.path} to ${request.host}`, JSON.parse(request.body ?? "{}"));
    return Promise.resolve(options.answer?.() ?? { status: 200, body: { ok: true, epoch: 7, seq: 1 } });
  });
  const unseen = { hasReached: () => false } as unknown as Store<KubeObject>;
  const ownWrites = new OwnWrites(
    () => unseen,
    () => 0,
  );
  let nowMs = 1_000_000;
  const ports: ActPorts = {
    api,
    applier: new Applier({ client: api }),
    ownWrites,
    storeOf: (resource) => (["ServiceAccount", "Role", "RoleBinding"].includes(resource.kind) ? undefined : store),
    writer,
    randomKey: () => "random",
    nowMs: () => nowMs,
    mayAct: options.leads ?? (() => true),
  };
  const abort = new AbortController();
  const context: ActContext = {
    scope: "apps/chat",
    facts,
    memory: new ClusterMemory(0),
    settled: new Map(),
    fence: () => Promise.resolve(7),
    adminKey: "key",
    signal: abort.signal,
  };
  const run = (actions: Action[]) => act({ ...EMPTY, actions }, context, ports);
  const pending = () => ownWrites.pending("apps/chat").map(({ ref }) => ref.name);
  return { run, sent, facts, abort, pending, later: (ms: number) => void (nowMs += ms) };
}

const EMPTY: Plan = {
  actions: [],
  status: {},
  events: [],
  poll: "rest",
  notes: [],
  pressures: [],
  endings: { isFrozen: false, pods: [] },
  balance: NO_BALANCE.next,
  progress: undefined,
};
const configMap = (name: string, uid = "aaaaaaaa-0000-4000-8000-000000000000"): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    name,
    namespace: "apps",
    labels: { "wscluster.io/cluster": "chat" },
    ownerReferences: [{ apiVersion: "v1", kind: "X", name: "chat", uid, controller: true }],
  },
  data: { a: "1" },
});
const applyOf = (manifest: Manifest): Action => ({ kind: "apply", manifest });
const live = (manifest: Manifest): KubeObject => ({
  ...manifest,
  metadata: { ...manifest.metadata, uid: "x", resourceVersion: "1" },
});

describe("act", () => {
  it("goes in order and stops at the first failure", async () => {
    const { run, sent } = stage({
      fail: (what) => (what === "apply ConfigMap b" ? new KubeError("Conflict", "cannot apply b") : undefined),
    });
    const actions = ["a", "b", "c"].map((name) => applyOf(configMap(name)));
    await expect(run(actions)).rejects.toMatchObject({ code: "Conflict" });
    expect(sent.map(({ what }) => what)).toEqual(["apply ConfigMap a"]);
  });

  it.each([
    ["another controller's", live(configMap("a", "somebody-else"))],
    ["a user's, without owner and label", live({ ...configMap("a"), metadata: { name: "a", namespace: "apps" } })],
  ])("leaves an object alone that is %s", async (_name, object) => {
    const { run, sent } = stage({ live: [object] });
    await expect(run([applyOf(configMap("a"))])).rejects.toMatchObject({ code: "name-taken" });
    expect(sent).toEqual([]);
  });

  it("takes an orphan with our label in again", async () => {
    const { ownerReferences: _none, ...metadata } = configMap("a").metadata;
    const { run, sent } = stage({ live: [live({ ...configMap("a"), metadata })] });
    await run([applyOf(configMap("a"))]);
    expect(sent.map(({ what }) => what)).toEqual(["apply ConfigMap a"]);
  });

  it("refuses to lower a set below pods that may hold connections", async () => {
    const { run, sent, facts } = stage();
    const name = facts.sets[0]?.name ?? "";
    const manifest: Manifest = { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name }, spec: { replicas: 1 } };
    await expect(run([applyOf(manifest)])).rejects.toMatchObject({ code: "law" });
    expect(sent).toEqual([]);
  });

  it.each([
    ["in a newer version, when only its controller has written since", {}, undefined],
    ["not at all, when its specification changed", { generation: 2 }, "stale"],
    ["not at all, when its marks changed", { annotations: { "wscluster.io/applied-hash": "other" } }, "stale"],
    ["not at all, when it is another one", { uid: "other" }, "stale"],
  ])("lowers a set after a detach %s", async (_name, change, refusal) => {
    const world = stage().facts;
    const [set, pod] = [world.sets[0], world.pods[0]];
    if (set === undefined || pod === undefined) throw new Error("nothing is there");
    const { name, uid, resourceVersion } = set;
    const owner = { apiVersion: "v1", kind: "X", name: "chat", uid: world.cluster.uid, controller: true };
    const base = { name, namespace: "apps", uid, resourceVersion, generation: 1, ownerReferences: [owner] };
    const cached = { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: base };
    const now = { ...cached, metadata: { ...base, resourceVersion: "next", ...change } };
    const { run, sent } = stage({ live: [cached], found: [now] });
    const manifest = { ...cached, metadata: { ...base }, spec: { replicas: 1 } };
    const operations = [{ op: "replace" as const, path: "/metadata/ownerReferences", value: [] }];
    const done = run([{ kind: "patchPod", pod: pod.name, why: "set=draining", operations }, applyOf(manifest)]);
    if (refusal === undefined) await done;
    else await expect(done).rejects.toMatchObject({ code: refusal });
    expect(sent.slice(1)).toMatchObject(
      refusal === undefined ? [{ body: { metadata: { uid, resourceVersion: "next" } } }] : [],
    );
  });

  it("never overwrites keys", async () => {
    const { run } = stage({ fail: () => new KubeError("AlreadyExists", "cannot create Secret") });
    await expect(run([{ kind: "createKeys", name: "chat-keys" }])).rejects.toMatchObject({ code: "stale" });
    const { run: first, sent } = stage();
    await first([{ kind: "createKeys", name: "chat-keys" }]);
    expect(sent[0]?.body).toMatchObject({ data: { admin: "cmFuZG9t", ticket: "cmFuZG9t" } });
  });

  it("asks before each action whether it still leads", async () => {
    let asked = 0;
    const { run, sent } = stage({ leads: () => asked++ < 1 });
    await expect(run([applyOf(configMap("a")), applyOf(configMap("b"))])).rejects.toMatchObject({ code: "deposed" });
    expect(sent).toHaveLength(1);
    const { run: stopped, abort } = stage();
    abort.abort();
    await expect(stopped([applyOf(configMap("a"))])).rejects.toThrow(/abort/i);
  });

  it("waits until it has seen that the pod ends which it deleted", async () => {
    const { run, pending } = stage();
    await run([{ kind: "delete", resource: "pods", name: "chat-1", uid: "u9" }]);
    expect(pending()).toEqual(["chat-1"]);
  });

  it("deletes with the uid that was looked at", async () => {
    const { run, sent } = stage();
    await run([{ kind: "delete", resource: "pods", name: "chat-1", uid: "u9" }]);
    expect(sent[0]).toMatchObject({ what: "delete Pod chat-1", body: { uid: "u9" } });
    const gone = stage({ fail: () => new KubeError("NotFound", "cannot find it") });
    await gone.run([{ kind: "delete", resource: "pods", name: "chat-1", uid: "u9" }]);
  });

  it("looks again when a pod changed after it was looked at", async () => {
    const message = "cannot patch pod chat-1: testing value /metadata/resourceVersion failed: test failed";
    const { run } = stage({ fail: () => new KubeError("Invalid", message, { status: 422 }) });
    const action: Action = { kind: "patchPod", pod: "chat-1", why: "set=draining", operations: [] };
    await expect(run([action])).rejects.toMatchObject({ code: "stale" });
  });

  it("gives a mode once, and again when a while has passed", async () => {
    const { run, sent, facts, later } = stage();
    const action: Action = { kind: "mode", pod: facts.pods[0]?.uid ?? "", request: { mode: "none", sealed: false } };
    await run([action]);
    await run([action]);
    expect(sent).toHaveLength(1);
    later(2_000);
    await run([action]);
    expect(sent.map(({ what }) => what)).toEqual(
      ["/contract/v1/mode", "/contract/v1/mode"].map((path) => `${path} to ${facts.pods[0]?.ip}`),
    );
  });

  it("sends no grant that the budget does not hold, and counts one that was sent", async () => {
    const { run, sent, facts } = stage();
    const grant = (count: number): Action => ({
      kind: "grants",
      grants: [
        {
          source: facts.pods[0]?.key ?? "",
          intent: "rollout/r/1",
          count,
          windowMs: 1_000,
          deadlineMs: 1_000,
          targets: [{ pod: facts.pods[1]?.key ?? "", count }],
        },
      ],
    });
    await run([grant(150)]);
    // 50 of 200 are left.
    await run([grant(51)]);
    await run([grant(50)]);
    expect(sent.map(({ body }) => body)).toMatchObject([
      { count: 150, epoch: 7 },
      { count: 50, epoch: 7 },
    ]);
  });

  it("stops when a pod follows a newer leader, and goes on when one only does not answer", async () => {
    const answers = [{ status: 409, body: { ok: false, code: "stale-epoch", message: "", epoch: 9, seq: 1 } }];
    const { run, facts } = stage({ answer: () => answers[0] ?? { status: 502, body: "" } });
    const action: Action = { kind: "mode", pod: facts.pods[0]?.uid ?? "", request: { mode: "none", sealed: false } };
    await expect(run([action])).rejects.toMatchObject({ code: "deposed" });
    answers.pop();
    expect((await run([action])).notes[0]).toMatch(/unknown: the pod answered 502/);
  });
});
