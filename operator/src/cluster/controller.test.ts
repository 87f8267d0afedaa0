// The shell around observe, decide and act: what it writes first, what it never writes, and that clusters do not disturb one another.
import { ANNOTATIONS } from "@wscluster/crds";
import { afterEach, describe, expect, it } from "vitest";
import { ContractWriter } from "../contract/writer.ts";
import { StatePoller } from "../contract/poller.ts";
import { MemoryApi } from "../kube/testing/memory-api.ts";
import { systemClock } from "../runtime/index.ts";
import { Caches } from "./caches.ts";
import { ClusterReconciler, type ControllerPorts } from "./controller.ts";
import { Fencing } from "./fencing.ts";

const SPEC = { replicas: 2, server: { image: "chat:1" }, redis: { url: "redis://r:6379" } };
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function stage(
  clusters: { namespace: string; name: string; spec?: unknown; annotations?: Record<string, string> }[],
  namespaces: string[] = [],
  more: Partial<ControllerPorts> = {},
) {
  const api = new MemoryApi();
  for (const { namespace, name, spec = SPEC, annotations } of clusters) {
    api.put({
      apiVersion: "wscluster.io/v1alpha1",
      kind: "WebSocketCluster",
      metadata: { namespace, name, ...(annotations === undefined ? {} : { annotations }) },
      spec,
    });
  }
  const clock = systemClock;
  const caches = new Caches({ client: api.client, clock, random: () => 0.5, namespaces, onProblem: () => undefined });
  caches.start(() => undefined);
  await caches.waitForSync(AbortSignal.timeout(5_000));
  const send = () => Promise.reject(new Error("no pod here"));
  const poller = new StatePoller({ clock, send, onPolled: () => undefined });
  const events: string[] = [];
  const reconciler = new ClusterReconciler({
    api: api.client,
    caches,
    poller,
    writer: new ContractWriter(send),
    events: { record: ({ reason, regarding }) => void events.push(`${reason} ${regarding.metadata.name}`) },
    clock,
    randomKey: () => "random",
    defaults: { agentImage: "operator:1", edgeImage: "haproxy:1" },
    fencing: new Fencing({ api: api.client, clock, installation: "mine/lease", term: "t1" }),
    mayAct: () => true,
    log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
    ...more,
  });
  cleanups.push(
    () => poller.stop(),
    () => caches.stop(),
  );
  const pass = (key: string, signal = new AbortController().signal) =>
    reconciler.reconcile(key, { signal, failures: 0, passId: 1 });
  /** Passes until nothing is written any more. */
  const settle = async (key: string) => {
    let quiet = 0;
    await expect
      .poll(async () => {
        const before = api.writes.length;
        const result = await pass(key);
        const isWaiting = result.kind === "done" && result.requeueAfterMs === 100;
        quiet = api.writes.length === before && !isWaiting ? quiet + 1 : 0;
        return quiet;
      })
      .toBeGreaterThanOrEqual(3);
  };
  return { api, caches, events, pass, settle, reconciler };
}

describe("a pass", () => {
  it("claims the cluster before anything else, makes what belongs to it, and then has nothing to write", async () => {
    const { api, settle } = await stage([{ namespace: "apps", name: "chat" }]);
    await settle("apps/chat");
    expect(api.writes.slice(0, 2)).toEqual(["patch WebSocketCluster apps/chat", "create Secret apps/chat-keys"]);
    expect(api.writes.some((write) => /^apply ReplicaSet apps\/chat-\w{10}$/.test(write))).toBe(true);
    expect(api.writes.filter((write) => write.startsWith("status"))).not.toEqual([]);
    const count = api.writes.length;
    await settle("apps/chat");
    expect(api.writes).toHaveLength(count);
  });

  it("does nothing to a cluster that another live installation holds, and says so once", async () => {
    const annotations = { [ANNOTATIONS.installation]: "other/lease", [ANNOTATIONS.epoch]: "4" };
    const { api, events, pass } = await stage([{ namespace: "apps", name: "chat", annotations }]);
    api.put({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { namespace: "other", name: "lease" },
      spec: { holderIdentity: "pod-1" },
    });
    for (let count = 0; count < 3; count++) await pass("apps/chat");
    expect(api.writes).toEqual([]);
    expect(events).toEqual(["OwnedElsewhere chat"]);
  });

  it("touches nothing but the status of a specification that breaks a rule", async () => {
    const { api, events, pass } = await stage([{ namespace: "apps", name: "chat", spec: { server: {} } }]);
    expect(await pass("apps/chat")).toMatchObject({ kind: "terminal" });
    expect(api.writes).toEqual(["status WebSocketCluster apps/chat"]);
    expect(events).toEqual(["InvalidSpec chat"]);
  });

  it("writes nothing once it does not lead any more, not even a claim", async () => {
    const { api, pass } = await stage([{ namespace: "apps", name: "chat" }], [], { mayAct: () => false });
    await expect(pass("apps/chat")).rejects.toThrow(/does not lead any more/);
    expect(api.writes).toEqual([]);
  });

  it("ends when it is told to", async () => {
    const { api, pass } = await stage([{ namespace: "apps", name: "chat" }]);
    await expect(pass("apps/chat", AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
    expect(api.writes.filter((write) => write.startsWith("apply"))).toEqual([]);
  });
});

describe("several clusters", () => {
  it("with one name in two namespaces keep their objects apart", async () => {
    const { api, settle } = await stage([
      { namespace: "one", name: "chat" },
      { namespace: "two", name: "chat" },
    ]);
    await settle("one/chat");
    expect(api.writes.filter((write) => write.includes(" two/"))).toEqual([]);
    const count = api.writes.length;
    await settle("two/chat");
    expect(api.writes.slice(count).filter((write) => write.includes(" one/"))).toEqual([]);
    expect(api.writes.filter((write) => write.startsWith("create Secret"))).toHaveLength(2);
  });

  it("in namespaces that are not watched are neither read nor known", async () => {
    const { api, caches, pass, settle } = await stage(
      [
        { namespace: "one", name: "chat" },
        { namespace: "two", name: "chat" },
      ],
      ["one"],
    );
    await settle("one/chat");
    expect(caches.keys()).toEqual(["one/chat"]);
    expect(await pass("two/chat")).toEqual({ kind: "done" });
    expect(api.writes.filter((write) => write.includes(" two/"))).toEqual([]);
    // Nodes belong to no namespace.
    expect([...api.readScopes].toSorted()).toEqual(["*", "one"]);
  });
});
