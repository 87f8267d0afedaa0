import { describe, expect, it } from "vitest";
import { Applier, APPLIED_HASH_ANNOTATION, decideApply, intentHash, withAppliedHash } from "./apply.ts";
import type { ConfigMap, KubeObject, Manifest } from "./objects.ts";
import type { ApplyOptions, KubeApi } from "./ports.ts";
import { resources, type Resource } from "./resources.ts";

const intent: Manifest = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "default", name: "edge", labels: { app: "chat" } },
  data: { a: "1", b: "2" },
};

/** Stores what is applied, after `mutate` as a webhook would. */
class OneObject implements Pick<KubeApi, "apply"> {
  sent: { intent: Manifest; options: ApplyOptions }[] = [];
  readonly #mutate: (object: Manifest) => Manifest;
  constructor(mutate: (object: Manifest) => Manifest = (object) => object) {
    this.#mutate = mutate;
  }
  apply<T extends KubeObject>(_resource: Resource<T>, applied: Manifest, options: ApplyOptions = {}): Promise<T> {
    this.sent.push({ intent: applied, options });
    const stored = this.#mutate(structuredClone(applied));
    const metadata = { ...stored.metadata, uid: "u", resourceVersion: String(this.sent.length) };
    return Promise.resolve({ ...stored, metadata } as unknown as T);
  }
}

const maps: Resource<ConfigMap> = resources.configMaps;

describe("Applier", () => {
  it("creates, then sends nothing as long as nothing differs", async () => {
    const client = new OneObject();
    const applier = new Applier({ client, fieldManager: "edge" });
    const first = await applier.apply(maps, intent, undefined);
    expect(first).toMatchObject({ sent: true, because: "absent" });
    expect(client.sent[0]?.options).toEqual({ fieldManager: "edge" });
    const again = await applier.apply(maps, intent, first.object);
    expect(again.sent).toBe(false);
    expect(again.object).toBe(first.object);
    expect(client.sent).toHaveLength(1);
  });

  it("sees a field that was REMOVED from the intent", async () => {
    const client = new OneObject();
    const applier = new Applier({ client });
    const { object } = await applier.apply(maps, intent, undefined);
    const smaller = { ...intent, data: { a: "1" } };
    expect(await applier.apply(maps, smaller, object)).toMatchObject({ sent: true, because: "intentChanged" });
  });

  it("repairs drift and says where it was", async () => {
    const client = new OneObject();
    const applier = new Applier({ client });
    const { object } = await applier.apply(maps, intent, undefined);
    const drifted: ConfigMap = { ...object, data: { a: "9", b: "2" } };
    expect(await applier.apply(maps, intent, drifted)).toMatchObject({
      sent: true,
      because: "drifted",
      differences: [{ path: "data.a", wanted: "1", live: "9" }],
    });
  });

  it("does not fight for ever with a webhook that insists, but notices when something else changes", async () => {
    const client = new OneObject((object) => ({ ...object, data: { ...(object["data"] as object), a: "forced" } }));
    const applier = new Applier({ client });
    let { object } = await applier.apply(maps, intent, undefined);
    for (let pass = 0; pass < 5; pass++) ({ object } = await applier.apply(maps, intent, object));
    expect(client.sent).toHaveLength(1);
    const drifted: ConfigMap = { ...object, data: { a: "forced", b: "9" } };
    expect((await applier.apply(maps, intent, drifted)).sent).toBe(true);
  });

  it("remembers nothing from a dry run", async () => {
    const client = new OneObject((object) => ({ ...object, data: { a: "forced", b: "2" } }));
    const applier = new Applier({ client });
    const { object } = await applier.apply(maps, intent, undefined, { dryRun: true });
    expect((await applier.apply(maps, intent, object)).sent).toBe(true);
  });

  it("keeps the hashes of two field managers apart", () => {
    const marked = withAppliedHash(intent, "wscluster.io/applied-hash-traffic");
    expect(Object.keys(marked.metadata.annotations ?? {})).toEqual(["wscluster.io/applied-hash-traffic"]);
    expect(intent.metadata.annotations).toBeUndefined();
  });
});

describe("intentHash", () => {
  it("does not depend on the order of keys, on undefined, or on guards", () => {
    const { data: _, metadata, ...rest } = intent;
    const other: Manifest = {
      data: { b: "2", a: "1" },
      extra: undefined,
      metadata: { ...metadata, uid: "u", resourceVersion: "5" },
      ...rest,
    };
    expect(intentHash(other)).toBe(intentHash(intent));
  });

  it("changes with the order of a list and with any value", () => {
    expect(intentHash({ ...intent, list: ["a", "b"] })).not.toBe(intentHash({ ...intent, list: ["b", "a"] }));
    expect(intentHash({ ...intent, data: { a: "1", b: "3" } })).not.toBe(intentHash(intent));
  });

  it("is stable when the intent already carries a hash", () => {
    const marked = withAppliedHash(intent);
    expect(withAppliedHash(marked)).toEqual(marked);
    expect(marked.metadata.annotations?.[APPLIED_HASH_ANNOTATION]).toMatch(/^[0-9a-f]{20}$/);
    expect(decideApply(marked, undefined)).toMatchObject({ send: true, because: "absent" });
  });
});
