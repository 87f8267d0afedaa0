// What the rest of the operator may ask of Kubernetes. Implementations are in this folder; tests elsewhere may fake these.
import type { KubeObject, Manifest, ObjectRef } from "./objects.ts";
import type { Resource } from "./resources.ts";

export type RequestOptions = {
  signal?: AbortSignal | undefined;
  /** Time for the whole request. Default 30 000. */
  timeoutMs?: number;
};

export type ListOptions = RequestOptions & {
  /** All namespaces when absent. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Objects per page. Default 500. */
  pageSize?: number;
};

export type ObjectList<T> = { items: T[]; resourceVersion: string };

export type WriteOptions = RequestOptions & {
  /** Default: the client's own. */
  fieldManager?: string;
  /** The server checks everything and stores nothing. */
  dryRun?: boolean;
};

export type ApplyOptions = WriteOptions & {
  /** Take fields from other managers. Default true: a controller states its intent. */
  force?: boolean;
};

export type PatchType = "json" | "merge" | "strategic";

export type PatchOptions = WriteOptions & { type: PatchType; subresource?: string };

/** One operation of a JSON patch (RFC 6902). */
export type JsonPatchOperation =
  | { op: "add" | "replace" | "test"; path: string; value: unknown }
  | { op: "remove"; path: string }
  | { op: "move" | "copy"; from: string; path: string };

export type DeleteOptions = RequestOptions & {
  /** The delete is refused (Conflict) if the object is another one by now. */
  uid?: string;
  resourceVersion?: string;
  propagation?: "Background" | "Foreground" | "Orphan";
  gracePeriodSeconds?: number;
};

/** What a delete answered: gone at once, still there (finalizers, grace period) or was not there. */
export type DeleteResult = { kind: "deleted" } | { kind: "terminating"; object: KubeObject } | { kind: "absent" };

/** `blocked`: a PodDisruptionBudget forbids it now (429); not an error. */
export type EvictResult =
  | { kind: "evicted" }
  | { kind: "absent" }
  | { kind: "blocked"; message: string; retryAfterMs: number };

export type WatchEvent<T> =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: T }
  | { type: "BOOKMARK"; resourceVersion: string };

export type WatchOptions = {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion: string;
  /** The server ends the watch after this. */
  timeoutSeconds: number;
  /** Silence longer than this ends the watch with a Timeout error. Must exceed the bookmark interval (about 60 s). */
  inactivityMs: number;
  signal: AbortSignal;
  /** The server accepted the watch. */
  onOpen?: () => void;
};

/** Errors of all methods: `KubeError`. */
export interface KubeApi {
  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options?: RequestOptions): Promise<T>;
  /** Like `get`; undefined instead of NotFound. */
  find<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options?: RequestOptions): Promise<T | undefined>;
  /** All pages. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ObjectList<T>>;
  create<T extends KubeObject>(resource: Resource<T>, object: Manifest, options?: WriteOptions): Promise<T>;
  /** PUT: refused (Conflict) when `metadata.resourceVersion` is not the live one. */
  replace<T extends KubeObject>(resource: Resource<T>, object: Manifest, options?: WriteOptions): Promise<T>;
  /** Server-side apply of the full intent. Unconditional: see `Applier` for the one that sends only what is needed. */
  apply<T extends KubeObject>(resource: Resource<T>, intent: Manifest, options?: ApplyOptions): Promise<T>;
  /** Server-side apply to /status. */
  applyStatus<T extends KubeObject>(resource: Resource<T>, intent: Manifest, options?: ApplyOptions): Promise<T>;
  patch<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, patch: unknown, options: PatchOptions): Promise<T>;
  /** Merge patch of /status. */
  patchStatus<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: { metadata?: { uid?: string; resourceVersion?: string }; status: unknown },
    options?: WriteOptions,
  ): Promise<T>;
  delete(resource: Resource, ref: ObjectRef, options?: DeleteOptions): Promise<DeleteResult>;
  evict(ref: ObjectRef, options?: DeleteOptions): Promise<EvictResult>;
  /** One watch connection; ends normally at `timeoutSeconds`. `Reflector` is what keeps a cache. */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** GET of any path, body as text: `/version`, `/readyz`, a proxied pod. */
  getRaw(path: string, options?: RequestOptions): Promise<string>;
  /** POST of JSON to any path, for a proxied pod that is asked something. */
  postRaw(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
    options?: RequestOptions,
  ): Promise<string>;
}

/** One finished request, for metrics. Never carries a body or a name. */
export type RequestReport = {
  verb: string;
  resource: string;
  subresource: string | undefined;
  /** HTTP status, or the error code when there was no answer. */
  status: number | string;
  durationMs: number;
  isWrite: boolean;
};

export type Change<T> =
  | { type: "added"; object: T }
  | { type: "updated"; object: T; previous: T }
  | { type: "deleted"; object: T };

/** Read side of a cache. Objects are frozen: copy before changing. */
export interface Store<T extends KubeObject> {
  readonly size: number;
  /** By reference or key `namespace/name`. */
  get(ref: ObjectRef | string): T | undefined;
  byUid(uid: string): T | undefined;
  list(namespace?: string): T[];
  /** Objects with this label value; fast for the label keys named in `indexLabels`, a scan for others. Without a namespace: of all. */
  byLabel(label: string, value: string, namespace?: string): T[];
  /** Objects with an owner reference (any, controller or not) to this uid. */
  byOwner(ownerUid: string): T[];
  /** Objects under `value` of a custom index. */
  byIndex(index: string, value: string): T[];
  /** Newest resourceVersion that the cache has seen from any event, bookmark or list; undefined before the first list. */
  readonly resourceVersion: string | undefined;
  /** Whether the cache contains the state that a write which returned `resourceVersion` made, or a later one (KEP-5647). */
  hasReached(ref: ObjectRef, resourceVersion: string): boolean;
}

export type Freshness = {
  synced: boolean;
  /** A watch is open now. */
  connected: boolean;
  /** Time since the server last proved the cache current (list, event, bookmark, opened watch); Infinity before the first list. */
  ageMs: number;
};

export interface Informer<T extends KubeObject> {
  readonly store: Store<T>;
  start(): void;
  /** No watch and no timer is left when it resolves. */
  stop(): Promise<void>;
  hasSynced(): boolean;
  /** Resolves true at the first full list, false when `signal` aborts or the informer stops. */
  waitForSync(signal?: AbortSignal): Promise<boolean>;
  freshness(): Freshness;
  /** Called after the store has the change. A throwing handler is reported and does not disturb the others. Returns unsubscribe. */
  onChange(handler: (change: Change<T>) => void): () => void;
}
