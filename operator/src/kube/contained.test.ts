import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { differencesOf, isContained } from "./contained.ts";

const container = {
  name: "server",
  image: "chat:1",
  ports: [{ name: "ws", containerPort: 8080 }],
  env: [{ name: "A", value: "1" }],
  resources: { requests: { cpu: "0.5", memory: "1Gi" } },
};
const intent = {
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name: "blue", labels: { app: "chat" } },
  spec: { template: { spec: { containers: [container], volumes: [{ name: "tmp", emptyDir: {} }] } } },
};
// As the API server gives it back: with defaults, other people's fields, in its own order.
const live = {
  ...intent,
  metadata: { ...intent.metadata, uid: "u", labels: { other: "x", app: "chat" }, generation: 3 },
  spec: {
    replicas: 3,
    template: {
      spec: {
        containers: [
          { name: "injected", image: "sidecar" },
          {
            ...container,
            imagePullPolicy: "IfNotPresent",
            terminationMessagePath: "/dev/termination-log",
            ports: [
              { containerPort: 8080, protocol: "UDP" },
              { name: "ws", containerPort: 8080, protocol: "TCP" },
            ],
            env: [{ name: "B" }, { name: "A", value: "1" }],
            resources: { requests: { cpu: "500m", memory: "1073741824" } },
          },
        ],
        volumes: [
          { name: "token", projected: {} },
          { name: "tmp", emptyDir: {} },
        ],
        dnsPolicy: "ClusterFirst",
      },
    },
  },
};

describe("isContained", () => {
  it("sees the intent through defaults, others' fields, other spellings and other orders", () => {
    expect(differencesOf(intent, live)).toEqual([]);
  });

  it.each<[string, unknown, unknown, string]>([
    ["a changed scalar", { spec: { replicas: 2 } }, { spec: { replicas: 3 } }, "spec.replicas"],
    ["a missing object", { spec: { a: { b: 1 } } }, { spec: {} }, "spec.a"],
    [
      "a changed container",
      { containers: [{ name: "a", image: "2" }] },
      { containers: [{ name: "a", image: "1" }] },
      "containers[a].image",
    ],
    ["a missing container", { containers: [{ name: "a" }] }, { containers: [{ name: "b" }] }, "containers[a]"],
    [
      "a port of the other protocol",
      { ports: [{ port: 53, protocol: "UDP" }] },
      { ports: [{ port: 53, protocol: "TCP" }] },
      "ports[53/UDP]",
    ],
    ["a longer atomic list", { args: ["a", "b"] }, { args: ["a"] }, "args"],
    ["an atomic list that differs at one place", { args: ["a", "b", "c"] }, { args: ["a", "c", "c"] }, "args[1]"],
    ["an atomic list to be emptied", { args: [] }, { args: ["a"] }, "args"],
    ["a field to be removed", { spec: { replicas: null } }, { spec: { replicas: 1 } }, "spec.replicas"],
    [
      "an env value to be emptied",
      { env: [{ name: "A", value: "" }] },
      { env: [{ name: "A", value: "x" }] },
      "env[A].value",
    ],
    ["a false that is not the default", { automountServiceAccountToken: false }, {}, "automountServiceAccountToken"],
    ["a zero that counts", { replicas: 0 }, {}, "replicas"],
    ["a missing finalizer", { finalizers: ["x/y"] }, { finalizers: ["z/y"] }, "finalizers"],
    ["amounts that differ", { limits: { cpu: "1" } }, { limits: { cpu: "1m" } }, "limits.cpu"],
    [
      "quantity spelling where it is only text",
      { env: [{ name: "A", value: "1000m" }] },
      { env: [{ name: "A", value: "1" }] },
      "env[A].value",
    ],
    ["an object instead of a list", { args: ["a"] }, { args: { 0: "a" } }, "args"],
    ["a scalar instead of an object", { spec: { a: { b: 1 } } }, { spec: { a: "b" } }, "spec.a"],
  ])("sees %s", (_, wanted, has, path) => {
    expect(differencesOf(wanted, has).map((difference) => difference.path)).toEqual([path]);
  });

  it.each<[string, unknown, unknown]>([
    ["empty map and absent", { nodeSelector: {} }, {}],
    ["empty list and absent", { tolerations: [] }, {}],
    ["empty string and absent", { env: [{ name: "A", value: "" }] }, { env: [{ name: "A" }] }],
    ["null and absent", { spec: { replicas: null } }, { spec: {} }],
    ["undefined and anything", { spec: { replicas: undefined } }, { spec: { replicas: 4 } }],
    ["nested emptiness and absent", { securityContext: { seLinuxOptions: {} } }, {}],
    ["false of a field that the server drops", { hostNetwork: false, ports: [] }, {}],
    ["an amount as a number", { requests: { cpu: 1 } }, { requests: { cpu: "1" } }],
    ["a size limit", { emptyDir: { sizeLimit: "1Gi" } }, { emptyDir: { sizeLimit: "1024Mi" } }],
    [
      "two items under one key",
      {
        env: [
          { name: "A", value: "1" },
          { name: "A", value: "2" },
        ],
      },
      {
        env: [
          { name: "A", value: "1" },
          { name: "A", value: "2" },
        ],
      },
    ],
    ["finalizers in any order", { finalizers: ["b/b", "a/a"] }, { finalizers: ["a/a", "c/c", "b/b"] }],
  ])("takes %s for equal", (_, wanted, has) => {
    expect(differencesOf(wanted, has)).toEqual([]);
  });
});

// Objects with the field names that have rules of their own among ordinary ones.
const scalar = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom("", "a", "1", "500m"),
  fc.boolean(),
  fc.constant(null),
);
const fieldName = fc.constantFrom("a", "b", "limits", "env", "ports", "finalizers", "readOnly", "args", "sizeLimit");
const json = fc.letrec<{ value: unknown; object: Record<string, unknown>; list: unknown[] }>((tie) => ({
  value: fc.oneof({ depthSize: "small", maxDepth: 4 }, scalar, tie("object"), tie("list")),
  object: fc.dictionary(fieldName, tie("value"), { maxKeys: 4 }),
  list: fc.oneof(
    fc.array(tie("value"), { maxLength: 3 }),
    fc
      .uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: 3 })
      .map((ports) => ports.map((port) => ({ name: `n${port}`, containerPort: port, value: "x" }))),
  ),
}));

describe("properties", () => {
  it("every object contains itself and, with additions, still does", () => {
    fc.assert(
      fc.property(json.object, json.value, (object, extra) => {
        expect(differencesOf(object, JSON.parse(JSON.stringify(object)))).toEqual([]);
        expect(isContained(object, { ...object, added: extra })).toBe(true);
      }),
    );
  });

  it("an item added by others to a keyed list changes nothing, one taken away is seen", () => {
    const items = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1 });
    fc.assert(
      fc.property(items, items, fc.constantFrom("containers", "env", "volumes"), (mine, others, field) => {
        const item = (name: string) => ({ name, value: name });
        const live = [...new Set([...others, ...mine])].map(item);
        expect(isContained({ [field]: mine.map(item) }, { [field]: live })).toBe(true);
        const without = live.filter((entry) => entry.name !== mine[0]);
        expect(isContained({ [field]: mine.map(item) }, { [field]: without })).toBe(false);
      }),
    );
  });

  it("a changed leaf is always seen", () => {
    const path = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(path, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 19 }), (names, wanted, has) => {
        const nest = (leaf: unknown): unknown => names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), leaf);
        expect(differencesOf(nest(wanted), nest(has))).toEqual([{ path: names.join("."), wanted, live: has }]);
      }),
    );
  });

  it("changes neither side", () => {
    fc.assert(
      fc.property(json.object, json.object, (a, b) => {
        const before = JSON.stringify([a, b]);
        isContained(a, b);
        expect(JSON.stringify([a, b])).toBe(before);
      }),
    );
  });
});
