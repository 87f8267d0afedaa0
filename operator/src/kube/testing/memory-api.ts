// An API server of a few lines for tests of what writes through a client and reads through caches: it stores, counts versions and
// tells watchers. No validation, no field owners, no garbage collection.
import { KubeError } from "../errors.ts";
import type { KubeObject, Manifest, ObjectRef } from "../objects.ts";
import type { KubeApi, ListOptions, WatchEvent, WatchOptions } from "../ports.ts";
import type { Resource } from "../resources.ts";

type Watcher = {
  readonly resource: Resource;
  readonly options: WatchOptions;
  push(event: WatchEvent<KubeObject>): void;
};

export class MemoryApi {
  /** VERB KIND NAMESPACE/NAME of each write, in order. */
  readonly writes: string[] = [];
  /** Lists and watches by namespace, `*` for all. */
  readonly readScopes = new Set<string>();
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  #version = 0;
  #uids = 0;

  get client(): KubeApi {
    return this as unknown as KubeApi;
  }

  put(object: Manifest & { status?: unknown }): KubeObject {
    const key = keyOf(object.kind, object.metadata);
    const before = this.#objects.get(key);
    const uid = before?.metadata.uid ?? object.metadata.uid ?? `uid-${++this.#uids}`;
    const metadata = { ...object.metadata, uid, resourceVersion: String(++this.#version) };
    const stored = { ...object, metadata } as unknown as KubeObject;
    this.#objects.set(key, stored);
    this.#tell(before === undefined ? "ADDED" : "MODIFIED", stored);
    return stored;
  }

  find(resource: Resource, ref: ObjectRef): Promise<KubeObject | undefined> {
    return Promise.resolve(this.#objects.get(keyOf(resource.kind, ref)));
  }

  get(resource: Resource, ref: ObjectRef): Promise<KubeObject> {
    const object = this.#objects.get(keyOf(resource.kind, ref));
    return object === undefined
      ? Promise.reject(new KubeError("NotFound", `cannot get ${resource.kind} ${ref.name}: not found`))
      : Promise.resolve(object);
  }

  list(resource: Resource, options: ListOptions = {}) {
    this.readScopes.add(options.namespace ?? "*");
    const items = [...this.#objects.values()].filter((object) => matches(object, resource, options));
    return Promise.resolve({ items, resourceVersion: String(this.#version) });
  }

  async *watch(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent<KubeObject>> {
    const queue: WatchEvent<KubeObject>[] = [];
    let wake: (() => void) | undefined;
    const watcher: Watcher = {
      resource,
      options,
      push(event) {
        queue.push(event);
        wake?.();
      },
    };
    this.#watchers.add(watcher);
    // What happened between the list and now.
    for (const object of this.#objects.values()) {
      const isNewer = Number(object.metadata.resourceVersion) > Number(options.resourceVersion);
      if (isNewer && matches(object, resource, options)) queue.push({ type: "ADDED", object });
    }
    options.onOpen?.();
    const stop = (): void => wake?.();
    options.signal.addEventListener("abort", stop);
    try {
      while (!options.signal.aborted) {
        const event = queue.shift();
        if (event !== undefined) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#watchers.delete(watcher);
      options.signal.removeEventListener("abort", stop);
    }
  }

  create(_resource: Resource, object: Manifest): Promise<KubeObject> {
    this.#note("create", object.kind, object.metadata);
    return Promise.resolve(this.put(object));
  }

  apply(_resource: Resource, intent: Manifest): Promise<KubeObject> {
    this.#note("apply", intent.kind, intent.metadata);
    return Promise.resolve(this.put(intent));
  }

  async applyStatus(resource: Resource, intent: Manifest & { status?: unknown }): Promise<KubeObject> {
    this.#note("status", intent.kind, intent.metadata);
    const live = await this.get(resource, intent.metadata);
    return this.put({ ...live, status: intent.status } as unknown as Manifest);
  }

  /** Merge patches of metadata alone: what the fence writes. */
  async patch(resource: Resource, ref: ObjectRef, patch: { metadata?: Partial<KubeObject["metadata"]> }) {
    this.#note("patch", resource.kind, ref);
    const live = await this.get(resource, ref);
    const { resourceVersion, annotations } = patch.metadata ?? {};
    if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
      throw new KubeError("Conflict", `cannot patch ${ref.name}: it changed`);
    }
    const metadata = { ...live.metadata, annotations: { ...live.metadata.annotations, ...annotations } };
    return this.put({ ...live, metadata } as unknown as Manifest);
  }

  #note(verb: string, kind: string, ref: ObjectRef): void {
    this.writes.push(`${verb} ${kind} ${ref.namespace ?? ""}/${ref.name}`);
  }

  #tell(type: "ADDED" | "MODIFIED", object: KubeObject): void {
    for (const { resource, options, push } of this.#watchers) {
      if (matches(object, resource, options)) push({ type, object });
    }
  }
}

function keyOf(kind: string, ref: ObjectRef): string {
  return `${kind} ${ref.namespace ?? ""}/${ref.name}`;
}

function matches(object: KubeObject, resource: Resource, of: { namespace?: string; labelSelector?: string }): boolean {
  if (object.kind !== resource.kind) return false;
  if (of.namespace !== undefined && object.metadata.namespace !== of.namespace) return false;
  const [key, value] = (of.labelSelector ?? "").split("=");
  if (key === undefined || key === "") return true;
  const label = object.metadata.labels?.[key];
  return value === undefined ? label !== undefined : label === value;
}
