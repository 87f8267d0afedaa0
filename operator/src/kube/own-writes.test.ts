import { describe, expect, it } from "vitest";
import type { Pod } from "./objects.ts";
import { OwnWrites } from "./own-writes.ts";
import { resources, type Resource } from "./resources.ts";
import { ObjectStore } from "./store.ts";
import { podJson } from "./testing/scripted-server.ts";

const pod = (name: string, version: number): Pod => podJson(name, version) as Pod;
const scope = "default/chat";

function begin(): { store: ObjectStore<Pod>; writes: OwnWrites } {
  const store = new ObjectStore<Pod>();
  const storeOf = (resource: Resource) => (resource.plural === "pods" ? store : undefined);
  return { store, writes: new OwnWrites(storeOf, () => 42) };
}

describe("OwnWrites", () => {
  it("blocks its scope until the cache has the last write of each object", () => {
    const { store, writes } = begin();
    writes.wrote(scope, resources.pods, pod("a", 5));
    writes.wrote(scope, resources.pods, pod("a", 8));
    writes.wrote(scope, resources.pods, pod("b", 6));
    expect(writes.pending("default/other")).toEqual([]);
    expect(writes.pending(scope).map((write) => `${write.ref.name} ${write.what} ${write.sinceMs}`)).toEqual([
      "a version 8 42",
      "b version 6 42",
    ]);
    store.put(pod("b", 6));
    expect(writes.pending(scope).map((write) => write.ref.name)).toEqual(["a"]);
    store.put(pod("a", 5));
    expect(writes.pending(scope)).toHaveLength(1);
    store.put(pod("a", 8));
    expect(writes.pending(scope)).toEqual([]);
  });

  it("waits for a deletion by uid, since its answer may carry no version", () => {
    const { store, writes } = begin();
    store.put(pod("a", 5));
    writes.deleted(scope, resources.pods, { namespace: "default", name: "a" }, "uid-a");
    expect(writes.pending(scope)).toHaveLength(1);
    store.remove(pod("a", 9));
    expect(writes.pending(scope)).toEqual([]);
  });

  it("never blocks on kinds without a cache, nor after forget", () => {
    const { writes } = begin();
    writes.wrote(scope, resources.nodes, pod("n", 5));
    expect(writes.pending(scope)).toEqual([]);
    writes.wrote(scope, resources.pods, pod("a", 5));
    writes.forget(scope);
    expect(writes.pending(scope)).toEqual([]);
  });
});
