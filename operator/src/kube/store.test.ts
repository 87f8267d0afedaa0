import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Pod } from "./objects.ts";
import { compareVersions, isAtLeast } from "./resource-version.ts";
import { ObjectStore } from "./store.ts";
import { podJson, type PodOptions } from "./testing/scripted-server.ts";

const pod = (name: string, version: number | string, options?: PodOptions): Pod =>
  podJson(name, version, options) as Pod;
const names = (pods: readonly Pod[]): string[] => pods.map((object) => object.metadata.name).sort();

describe("indexes", () => {
  it("follow every change of label and owner", () => {
    const store = new ObjectStore<Pod>({
      indexLabels: ["set"],
      indexes: { node: (object) => (object.spec?.nodeName === undefined ? [] : [object.spec.nodeName]) },
    });
    store.put(pod("a", 1, { labels: { set: "blue", x: "1" }, ownerUid: "o1" }));
    store.put({
      ...pod("b", 2, { labels: { set: "blue" }, ownerUid: "o2" }),
      spec: { containers: [], nodeName: "n1" },
    });
    expect(names(store.byLabel("set", "blue"))).toEqual(["a", "b"]);
    expect(names(store.byLabel("x", "1"))).toEqual(["a"]);
    expect(names(store.byOwner("o2"))).toEqual(["b"]);
    expect(names(store.byIndex("node", "n1"))).toEqual(["b"]);
    store.put(pod("a", 3, { labels: { set: "green" }, ownerUid: "o2" }));
    expect(names(store.byLabel("set", "blue"))).toEqual(["b"]);
    expect(names(store.byLabel("set", "green"))).toEqual(["a"]);
    expect(names(store.byOwner("o1"))).toEqual([]);
    expect(names(store.byOwner("o2"))).toEqual(["a", "b"]);
    store.remove(pod("b", 4));
    expect([store.byLabel("set", "blue"), store.byIndex("node", "n1")]).toEqual([[], []]);
    expect(store.byUid("uid-b")).toBeUndefined();
  });

  it("tell namespaces apart", () => {
    const store = new ObjectStore<Pod>({ indexLabels: ["set"] });
    const blue = { labels: { set: "blue", x: "1" } };
    store.put(pod("a", 1, blue));
    store.put(pod("a", 2, { ...blue, namespace: "other", uid: "uid-other" }));
    const uids = (found: readonly Pod[]) => found.map(({ metadata }) => metadata.uid);
    for (const [label, value] of Object.entries(blue.labels)) {
      expect(store.byLabel(label, value)).toHaveLength(2);
      expect(uids(store.byLabel(label, value, "other"))).toEqual(["uid-other"]);
      expect(store.byLabel(label, value, "third")).toEqual([]);
    }
    expect(store.size).toBe(2);
    expect(names(store.list("other"))).toEqual(["a"]);
    expect(store.get({ namespace: "other", name: "a" })?.metadata.uid).toBe("uid-other");
  });
});

describe("objects", () => {
  it("are frozen, so that no reader changes what others see", () => {
    const store = new ObjectStore<Pod>();
    store.put(pod("a", 1, { labels: { set: "blue" } }));
    const labels = store.get("default/a")?.metadata.labels ?? {};
    expect(() => {
      labels["set"] = "green";
    }).toThrow(TypeError);
  });

  it("of an earlier holder of a name are not removed late", () => {
    const store = new ObjectStore<Pod>();
    store.put(pod("a", 5, { uid: "new" }));
    expect(store.remove(pod("a", 6, { uid: "old" }))).toEqual([]);
    expect(store.get("default/a")?.metadata.uid).toBe("new");
  });

  it("that come again unchanged are no change", () => {
    const store = new ObjectStore<Pod>();
    store.put(pod("a", 5));
    expect(store.put(pod("a", 5))).toEqual([]);
  });
});

describe("hasReached", () => {
  const ref = { namespace: "default", name: "a" };

  it("is true from the write's own event, a later one, a bookmark or a list on", () => {
    const store = new ObjectStore<Pod>();
    expect(store.hasReached(ref, "5")).toBe(false);
    store.put(pod("a", 4));
    expect(store.hasReached(ref, "5")).toBe(false);
    store.put(pod("a", 5));
    expect(store.hasReached(ref, "5")).toBe(true);
    expect(store.hasReached(ref, "6")).toBe(false);
    store.put(pod("b", 7));
    expect(store.hasReached(ref, "6")).toBe(true);
    store.advanceTo("12");
    expect(store.hasReached(ref, "12")).toBe(true);
    store.replaceAll([], "20");
    expect(store.hasReached(ref, "20")).toBe(true);
  });

  it("compares as numbers of any size, not as text", () => {
    const store = new ObjectStore<Pod>();
    store.put(pod("a", "100000000000000000000001"));
    expect(store.hasReached(ref, "99")).toBe(true);
    expect(store.hasReached(ref, "100000000000000000000002")).toBe(false);
  });

  it("knows only equality for versions that are no numbers", () => {
    const store = new ObjectStore<Pod>();
    store.put(pod("a", "v-x"));
    expect(store.hasReached(ref, "v-x")).toBe(true);
    expect(store.hasReached(ref, "v-w")).toBe(false);
    expect(compareVersions("v-x", "5")).toBeUndefined();
  });

  it("goes back with the server after a restored backup", () => {
    const store = new ObjectStore<Pod>();
    store.replaceAll([pod("a", 90)], "100");
    store.replaceAll([pod("a", 40)], "50");
    expect(store.resourceVersion).toBe("50");
    expect(store.hasReached(ref, "90")).toBe(false);
  });
});

it("orders versions totally where they are numbers", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 100n }), fc.bigInt({ min: 0n, max: 2n ** 100n }), (a, b) => {
      expect(isAtLeast(String(a), String(b))).toBe(a >= b);
    }),
  );
});

it("a relist and the same changes one by one lead to the same store", () => {
  const content = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom("a", "b", "c", "d"),
      uid: fc.constantFrom("1", "2"),
      version: fc.integer({ min: 1, max: 50 }),
    }),
    { selector: (entry) => entry.name },
  );
  const podsOf = (entries: { name: string; uid: string; version: number }[]): Pod[] =>
    entries.map(({ name, uid, version }) => {
      // One version of one object has one content.
      const labels = { set: version % 2 === 0 ? "blue" : "green" };
      return pod(name, version, { uid: `${name}-${uid}`, labels });
    });
  fc.assert(
    fc.property(content, content, (before, after) => {
      const relisted = new ObjectStore<Pod>({ indexLabels: ["set"] });
      relisted.replaceAll(podsOf(before), "100");
      const changes = relisted.replaceAll(podsOf(after), "200");
      // Who follows the changes from the first state must arrive at the second.
      const followed = new Map(podsOf(before).map((object) => [object.metadata.uid, object.metadata.resourceVersion]));
      for (const change of changes) {
        const { uid, resourceVersion } = change.object.metadata;
        if (change.type === "deleted") expect(followed.delete(uid)).toBe(true);
        else {
          expect(followed.has(uid)).toBe(change.type === "updated");
          followed.set(uid, resourceVersion);
        }
      }
      const wanted = podsOf(after).map(({ metadata }) => [metadata.uid, metadata.resourceVersion] as const);
      expect(followed).toEqual(new Map(wanted));
      for (const set of ["blue", "green"]) {
        expect(names(relisted.byLabel("set", set))).toEqual(
          names(podsOf(after).filter((object) => object.metadata.labels?.["set"] === set)),
        );
      }
    }),
  );
});
