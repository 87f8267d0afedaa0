import { rollsByField, webSocketClusterSpec, type WebSocketClusterSpec } from "@wscluster/crds";
import { describe, expect, it } from "vitest";
import { World } from "./testing/world.ts";
import { canonical, projectEdge, projectServers, restartOf, revisionOf } from "./wanted.ts";

const spec = (more: Record<string, unknown> = {}): WebSocketClusterSpec =>
  webSocketClusterSpec.parse({ server: { image: "chat:1" }, redis: { url: "redis://r:6379" }, ...more });
const servers = (of: WebSocketClusterSpec) => revisionOf(projectServers(of));
const edge = (of: WebSocketClusterSpec) => revisionOf(projectEdge(of));

describe("the revision", () => {
  // Written down, because a change of these values would roll every fleet at the next operator upgrade.
  it("is the same for ever", () => {
    expect(servers(spec())).toBe("da4ab37c0a");
    expect(edge(spec())).toBe("44136fa355");
    const full = spec({
      server: {
        image: "chat:1",
        port: 9000,
        env: [{ name: "A", value: "1" }],
        resources: { requests: { cpu: "1" } },
        terminationGracePeriodSeconds: 60,
      },
      auth: { anonymous: true, allowedOrigins: ["https://a.example"] },
      edge: { image: "haproxy:3", maxConnections: 100 },
    });
    expect(servers(full)).toBe("f4d639d752");
    expect(edge(full)).toBe("0d28a912fe");
  });

  it("does not change when a CRD begins to write down what absence means", () => {
    const written = spec({
      server: {
        image: "chat:1",
        port: 8080,
        adminPort: 8081,
        path: "/ws",
        imagePullPolicy: "IfNotPresent",
        terminationGracePeriodSeconds: 300,
      },
      auth: { anonymous: false },
      edge: { maxConnections: 9_000, terminationGracePeriodSeconds: 300 },
    });
    expect(servers(written)).toBe(servers(spec()));
    expect(edge(written)).toBe(edge(spec()));
    expect(servers(spec({ server: { image: "chat:1", path: "/chat" } }))).not.toBe(servers(spec()));
  });

  it("does not depend on the order of keys, on empty parts or on undefined", () => {
    const a = spec({ server: { image: "chat:1", port: 9000, env: [] }, auth: {} });
    const b = spec({ server: { port: 9000, image: "chat:1" } });
    expect(servers(a)).toBe(servers(b));
  });

  it.each(Object.entries(rollsByField))("%s reaches: %s", (field, reach) => {
    const change: Record<string, Record<string, unknown>> = {
      replicas: { replicas: 5 },
      server: { server: { image: "chat:2" } },
      redis: { redis: { url: "redis://other:6379" } },
      auth: { auth: { anonymous: true } },
      config: { config: { connections: { maxPerPod: 10 } } },
      edge: { edge: { image: "h:3" } },
      "edge.image": { edge: { image: "h:2" } },
      "edge.agentImage": { edge: { agentImage: "a:2" } },
      "edge.resources": { edge: { resources: { limits: { memory: "1Gi" } } } },
      "edge.maxConnections": { edge: { maxConnections: 50 } },
      "edge.terminationGracePeriodSeconds": { edge: { terminationGracePeriodSeconds: 60 } },
      "edge.newConnectionsPerSecond": { edge: { newConnectionsPerSecond: 50 } },
      "edge.enabled": { edge: { enabled: false } },
      "edge.replicas": { edge: { replicas: 5 } },
      "edge.service": { edge: { service: { type: "NodePort" } } },
      rollout: { rollout: { retainSeconds: 1 } },
      moves: { moves: { maxPerSecond: 1 } },
      rebalance: { rebalance: { mode: "Off" } },
      autoscaling: { autoscaling: { maxReplicas: 3, cpuPercent: 50 } },
      disruption: { disruption: { deadlineSeconds: 60 } },
      paused: { paused: true },
      restartAt: { restartAt: "2030-01-01T00:00:00Z" },
    };
    const changed = spec(change[field]);
    expect(changed).not.toEqual(spec());
    expect(servers(changed) !== servers(spec())).toBe(reach === "servers");
    expect(edge(changed) !== edge(spec())).toBe(reach === "edge");
  });

  it("knows every field of the specification", () => {
    const top = new Set(Object.keys(rollsByField).map((field) => field.replace(/\..*/, "")));
    expect([...top].toSorted()).toEqual(Object.keys(webSocketClusterSpec.shape).toSorted());
    const edgeFields = Object.keys(rollsByField).flatMap((field) =>
      field.startsWith("edge.") ? [field.slice(5)] : [],
    );
    const edgeShape = webSocketClusterSpec.shape.edge.unwrap().shape;
    expect(edgeFields.toSorted()).toEqual(Object.keys(edgeShape).toSorted());
  });
});

describe("restartOf", () => {
  const at = Date.parse("2030-06-01T12:00:00Z");
  const [before, after] = ["2030-06-01T14:00:00+02:00", "2030-06-01T12:00:01Z"];
  it.each<[string, string | undefined, (number | undefined)[], ReturnType<typeof restartOf>]>([
    ["none was ever asked for", undefined, [undefined], { at: undefined, nextMs: undefined }],
    ["its moment has come", before, [undefined], { at: "2030-06-01T12:00:00.000Z", nextMs: undefined }],
    ["it is to come", after, [undefined], { at: undefined, nextMs: at + 1_000 }],
    ["it is to come after another", after, [at - 5_000], { at: "2030-06-01T11:59:55.000Z", nextMs: at + 1_000 }],
    ["it was taken away", undefined, [at - 5_000], { at: "2030-06-01T11:59:55.000Z", nextMs: undefined }],
    ["an older one came after it", "2029-01-01T00:00:00Z", [at], { at: "2030-06-01T12:00:00.000Z", nextMs: undefined }],
  ])("%s", (_name, asked, done, restart) => {
    expect(restartOf(asked, done, at)).toEqual(restart);
  });
});

it("keeps the order of lists, where it means something", () => {
  expect(canonical({ b: [2, 1], a: undefined, c: {} })).toEqual({ b: [2, 1] });
});

describe("an operator with another renderer and other default images", () => {
  it("restarts no server and no edge pod, and writes nothing", () => {
    const world = new World({ replicas: 2, server: { image: "chat:1" }, redis: { url: "redis://r:6379" } });
    world.run(10);
    // As an older renderer left it: other template, other version, stored on the ReplicaSets; another haproxy.cfg.
    for (const set of world.table.list("ReplicaSet")) world.ageTemplate(set);
    world.ageEdgeConfig();
    world.run(5);
    const uids = () => world.table.list("Pod").map(({ metadata }) => metadata.uid);
    const before = uids();
    const template = () => world.table.list("ReplicaSet").map((set) => JSON.stringify(set["spec"]));
    const templates = template();
    world.defaults = { agentImage: "operator:2", edgeImage: "haproxy:2" };
    world.restartOperator();
    const writes = world.writes;
    world.run(60);
    expect(world.writes).toBe(writes);
    expect(uids()).toEqual(before);
    expect(template()).toEqual(templates);
    // The user's next change is what brings the new renderer.
    world.setSpec({ server: { image: "chat:2" } });
    world.run(20);
    const images = world.facts().sets.map(({ image, rendererVersion }) => `${image} ${rendererVersion}`);
    expect(images.toSorted()).toEqual(["chat:1 0", "chat:2 2"]);
  });
});
