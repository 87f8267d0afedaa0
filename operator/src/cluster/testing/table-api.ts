// The API server of the small world behind the same port as the real client: requests, refusals, watches. Test code only.
import {
  type JsonPatchOperation,
  KubeError,
  type KubeApi,
  type KubeObject,
  type Manifest,
  type ObjectRef,
  type Resource,
  resources,
  type WatchEvent,
  type WatchOptions,
} from "../../kube/index.ts";
import type { ObjectTable, Stored, TableChange } from "./objects.ts";
import { record } from "./workloads.ts";

export type TableApiOptions = {
  readonly table: ObjectTable;
  readonly nowMs: () => number;
  readonly deletePod: (pod: Stored) => void;
  readonly mayRead: (resource: Resource) => boolean;
  /** A write that had an effect. */
  readonly onWrite: (what: string) => void;
  /** A write that came too late: 409, or 422 for the test of a JSON patch. */
  readonly onRefused: (what: string) => void;
};

/** @throws KubeError as the real client */
export function tableApiFor(options: TableApiOptions): KubeApi {
  const { table, nowMs, onWrite } = options;
  const history: (TableChange & { version: number })[] = [];
  const waiters = new Set<() => void>();
  table.onChange = (change) => {
    history.push({ ...change, version: Number(change.object.metadata.resourceVersion) });
    for (const wake of waiters) wake();
  };
  const find = (resource: Resource, ref: Partial<ObjectRef>) => table.get(resource.kind, ref.name ?? "");
  const live = (resource: Resource, ref: Partial<ObjectRef>): Stored => {
    const object = find(resource, ref);
    if (object === undefined) throw new KubeError("NotFound", `cannot find ${resource.kind} ${ref.name}`);
    return object;
  };
  // What is handed out is the caller's own, as an answer over the wire is.
  const copy = <T extends KubeObject>(object: KubeObject): T => structuredClone(object) as T;
  const store = <T extends KubeObject>(what: string, object: Manifest | Stored): T => {
    const stored = table.put(object);
    onWrite(what);
    return copy<T>(stored);
  };

  async function* watch<T extends KubeObject>(
    resource: Resource<T>,
    given: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    given.onOpen?.();
    let next = history.findIndex((entry) => entry.version > Number(given.resourceVersion));
    if (next < 0) next = history.length;
    while (!given.signal.aborted) {
      const entry = history[next];
      if (entry === undefined) {
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiters.delete(wake);
            given.signal.removeEventListener("abort", wake);
            resolve();
          };
          waiters.add(wake);
          given.signal.addEventListener("abort", wake, { once: true });
        });
        continue;
      }
      next++;
      if (entry.object.kind !== resource.kind || !isSelected(entry.object, given.labelSelector)) continue;
      yield { type: entry.type, object: copy<T>(entry.object) };
    }
  }

  const api: Omit<KubeApi, "watch"> = {
    get: async (resource, ref) => copy(live(resource, ref)),
    async find(resource, ref) {
      const object = find(resource, ref);
      return object === undefined ? undefined : copy(object);
    },
    async list(resource, given = {}) {
      if (!options.mayRead(resource)) throw new KubeError("Forbidden", `cannot list ${resource.plural}`);
      const items = table.list(resource.kind).filter((object) => isSelected(object, given.labelSelector));
      return { items: items.map((object) => copy(object)), resourceVersion: table.version };
    },
    async create(resource, object) {
      if (find(resource, object.metadata) !== undefined)
        throw new KubeError("AlreadyExists", `cannot create ${resource.kind} ${object.metadata.name}`);
      return store(`create ${resource.kind}`, object);
    },
    async replace(resource, object) {
      assertUnchanged(live(resource, object.metadata), object.metadata);
      return store(`replace ${resource.kind}`, object);
    },
    async apply(resource, intent) {
      const present = find(resource, intent.metadata);
      if (present === undefined && intent.metadata.uid !== undefined) throw conflict(resource, intent.metadata.name);
      if (present !== undefined) assertUnchanged(present, intent.metadata);
      const { sent, object } = table.apply(intent, nowMs());
      if (sent) onWrite(`apply ${resource.kind}`);
      return copy(object);
    },
    async applyStatus(resource, intent) {
      const present = live(resource, intent.metadata);
      return store("status", { ...present, status: structuredClone(intent["status"]) });
    },
    async patch(resource, ref, patch, given) {
      const present = live(resource, ref);
      const what = `patch ${resource.kind}`;
      if (given.type === "json") return store(what, patched(present, patch as JsonPatchOperation[]));
      const { metadata, ...rest } = record(patch);
      const { annotations, labels, ...meta } = record(metadata);
      assertUnchanged(present, meta);
      return store(what, {
        ...present,
        ...rest,
        metadata: {
          ...present.metadata,
          labels: { ...present.metadata.labels, ...textsOf(labels) },
          annotations: { ...present.metadata.annotations, ...textsOf(annotations) },
        },
      });
    },
    async patchStatus(resource, ref, patch) {
      const present = live(resource, ref);
      assertUnchanged(present, patch.metadata ?? {});
      return store("status", { ...present, status: { ...record(present["status"]), ...record(patch.status) } });
    },
    async delete(resource, ref, given = {}) {
      const present = find(resource, ref);
      if (present === undefined) return { kind: "absent" };
      assertUnchanged(present, given);
      onWrite(`delete ${resource.kind}`);
      if (resource.plural === resources.pods.plural) options.deletePod(present);
      else table.remove(resource.kind, ref.name);
      return { kind: "deleted" };
    },
    evict: () => Promise.reject(new KubeError("BadRequest", "cannot evict: the operator never does")),
    getRaw: () => Promise.reject(new KubeError("NotFound", "cannot get a path here")),
    postRaw: () => Promise.reject(new KubeError("NotFound", "cannot post to a path here")),
  };
  const told: typeof api = {
    ...api,
    apply: (resource, intent) => api.apply(resource, intent).catch(refused),
    patch: (resource, ref, patch, given) => api.patch(resource, ref, patch, given).catch(refused),
    delete: (resource, ref, given) => api.delete(resource, ref, given).catch(refused),
  };
  return { ...told, watch };

  function refused(error: unknown): never {
    if (error instanceof KubeError && (error.code === "Conflict" || error.code === "Invalid"))
      options.onRefused(`${error.status}: ${error.message}`);
    throw error;
  }
}

function conflict(resource: { kind: string }, name: string): KubeError {
  return new KubeError("Conflict", `cannot write ${resource.kind} ${name}: it has changed`, { status: 409 });
}

function assertUnchanged(present: Stored, given: { uid?: unknown; resourceVersion?: unknown }): void {
  const { uid, resourceVersion, name } = present.metadata;
  const isOther = given.uid !== undefined && given.uid !== uid;
  const isLate = given.resourceVersion !== undefined && given.resourceVersion !== resourceVersion;
  if (isOther || isLate) throw conflict(present, name);
}

function isSelected(object: Stored, selector: string | undefined): boolean {
  if (selector === undefined) return true;
  const [label = "", value] = selector.split("=");
  const has = object.metadata.labels?.[label];
  return value === undefined ? has !== undefined : has === value;
}

/** RFC 6902 as far as it is used here. A test that fails is 422, as the real server says it. */
function patched(present: Stored, operations: readonly JsonPatchOperation[]): Stored {
  const result: Record<string, unknown> = structuredClone(present);
  for (const operation of operations) {
    const keys = operation.path
      .split("/")
      .slice(1)
      .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = keys.pop() ?? "";
    let parent: unknown = result;
    for (const key of keys)
      parent = typeof parent === "object" && parent !== null ? Reflect.get(parent, key) : undefined;
    if (typeof parent !== "object" || parent === null)
      throw new KubeError("Invalid", `cannot patch: ${operation.path} has no parent`, { status: 422 });
    if (operation.op === "test") {
      if (JSON.stringify(Reflect.get(parent, last)) !== JSON.stringify(operation.value))
        throw new KubeError("Invalid", `cannot patch: testing value ${operation.path} failed`, { status: 422 });
    } else if (operation.op === "remove") Reflect.deleteProperty(parent, last);
    else if (operation.op === "add" || operation.op === "replace") Reflect.set(parent, last, operation.value);
    else throw new KubeError("BadRequest", `cannot patch: ${operation.op} is not used here`);
  }
  return result as Stored;
}

function textsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(record(value)).map(([name, text]) => [name, String(text)]));
}
