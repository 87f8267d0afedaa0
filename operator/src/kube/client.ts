// The raw JSON client: every verb that the operator uses, over one pooled connection. Nothing is dropped or renamed:
// client-node's typed serializer silently removes fields that it does not know.
import type { Clock } from "../runtime/clock.ts";
import { isKubeError, isNotFound, KubeError } from "./errors.ts";
import { describe, Exchange, type Call, type ExchangeOptions, type Query } from "./exchange.ts";
import type { KubeObject, Manifest, ObjectRef } from "./objects.ts";
import type * as ports from "./ports.ts";
import { apiVersionOf, pathFor, resources, type Resource } from "./resources.ts";
import type { StatusBody } from "./status-answer.ts";
import { readWatch } from "./watch.ts";

export type KubeClientOptions = ExchangeOptions & {
  /** Name under which our fields are owned. One stable name per concern. */
  fieldManager: string;
};

const DEFAULT_PAGE_SIZE = 500;

const patchContentType = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const satisfies Record<ports.PatchType, string>;

export class KubeClient implements ports.KubeApi {
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  readonly #fieldManager: string;

  constructor(options: KubeClientOptions) {
    this.#exchange = new Exchange(options);
    this.#clock = options.clock;
    this.#fieldManager = options.fieldManager;
  }

  /** Write requests sent so far (every method but GET): 0 an hour when idle is a promise of the product. */
  get writeCount(): number {
    return this.#exchange.writeCount;
  }

  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: ports.RequestOptions = {}): Promise<T> {
    return this.#exchange.json({ verb: "get", method: "GET", resource, ref, path: pathFor(resource, ref), options });
  }

  async find<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: ports.RequestOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.get(resource, ref, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    options: ports.ListOptions = {},
  ): Promise<ports.ObjectList<T>> {
    try {
      return await this.#pages(resource, options, options.pageSize ?? DEFAULT_PAGE_SIZE);
    } catch (error) {
      // The continue token outlived the server's history: pages of two versions must not be mixed, so all at once.
      if (isKubeError(error, "Gone")) return this.#pages(resource, options, 0);
      throw error;
    }
  }

  async #pages<T extends KubeObject>(
    resource: Resource<T>,
    options: ports.ListOptions,
    pageSize: number,
  ): Promise<ports.ObjectList<T>> {
    const ref = options.namespace === undefined ? {} : { namespace: options.namespace };
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const page: { items?: T[] | null; metadata?: { resourceVersion?: string; continue?: string } } =
        await this.#exchange.json({
          verb: "list",
          method: "GET",
          resource,
          ref,
          path: pathFor(resource, ref),
          query: {
            labelSelector: options.labelSelector,
            fieldSelector: options.fieldSelector,
            limit: pageSize === 0 ? undefined : pageSize,
            continue: next,
          },
          options,
        });
      for (const item of page.items ?? []) items.push(completed(resource, item));
      next = page.metadata?.continue;
      if (next !== undefined && next !== "") continue;
      const resourceVersion = page.metadata?.resourceVersion;
      if (resourceVersion === undefined) {
        throw new KubeError("BadResponse", `cannot list ${resource.plural}: the answer has no resourceVersion`);
      }
      return { items, resourceVersion };
    }
  }

  create<T extends KubeObject>(resource: Resource<T>, object: Manifest, options: ports.WriteOptions = {}): Promise<T> {
    const ref = { namespace: object.metadata.namespace, name: object.metadata.name };
    const path = pathFor(resource, { namespace: ref.namespace });
    return this.#write({ verb: "create", method: "POST", resource, ref, path, body: object, options }, options);
  }

  replace<T extends KubeObject>(resource: Resource<T>, object: Manifest, options: ports.WriteOptions = {}): Promise<T> {
    const ref = object.metadata;
    const path = pathFor(resource, ref);
    return this.#write({ verb: "update", method: "PUT", resource, ref, path, body: object, options }, options);
  }

  apply<T extends KubeObject>(resource: Resource<T>, intent: Manifest, options: ports.ApplyOptions = {}): Promise<T> {
    return this.#apply(resource, intent, undefined, options);
  }

  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    intent: Manifest,
    options: ports.ApplyOptions = {},
  ): Promise<T> {
    return this.#apply(resource, intent, "status", options);
  }

  #apply<T extends KubeObject>(
    resource: Resource<T>,
    intent: Manifest,
    subresource: string | undefined,
    options: ports.ApplyOptions,
  ): Promise<T> {
    return this.#write(
      {
        verb: "apply",
        method: "PATCH",
        resource,
        ref: intent.metadata,
        subresource,
        path: pathFor(resource, intent.metadata, subresource),
        query: { force: options.force ?? true },
        body: intent,
        // JSON is YAML; the server takes it under this type.
        contentType: "application/apply-patch+yaml",
        options,
      },
      options,
    );
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: unknown,
    options: ports.PatchOptions,
  ): Promise<T> {
    const { type, subresource } = options;
    const path = pathFor(resource, ref, subresource);
    const contentType = patchContentType[type];
    return this.#write(
      { verb: "patch", method: "PATCH", resource, ref, subresource, path, body: patch, contentType, options },
      options,
    );
  }

  patchStatus<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: { metadata?: { uid?: string; resourceVersion?: string }; status: unknown },
    options: ports.WriteOptions = {},
  ): Promise<T> {
    return this.patch(resource, ref, patch, { ...options, type: "merge", subresource: "status" });
  }

  async delete(resource: Resource, ref: ObjectRef, options: ports.DeleteOptions = {}): Promise<ports.DeleteResult> {
    try {
      const path = pathFor(resource, ref);
      const body = deleteBody(options);
      const answer: { metadata?: { deletionTimestamp?: string; uid?: string } } = await this.#exchange.json({
        verb: "delete",
        method: "DELETE",
        resource,
        ref,
        path,
        body,
        options,
      });
      // The answer is a Status, or the object: with a deletionTimestamp it is still there for a while.
      if (answer.metadata?.deletionTimestamp === undefined) return { kind: "deleted" };
      return { kind: "terminating", object: completed(resource, answer as KubeObject) };
    } catch (error) {
      if (isNotFound(error)) return { kind: "absent" };
      throw error;
    }
  }

  async evict(ref: ObjectRef, options: ports.DeleteOptions = {}): Promise<ports.EvictResult> {
    const resource = resources.pods;
    const body = {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: ref.name, namespace: ref.namespace },
      deleteOptions: deleteBody(options),
    };
    const path = pathFor(resource, ref, "eviction");
    const call: Call = { verb: "evict", method: "POST", resource, ref, subresource: "eviction", path, body, options };
    try {
      await this.#exchange.json({ ...call, isFinal: isBudgetRefusal });
      return { kind: "evicted" };
    } catch (error) {
      if (isNotFound(error)) return { kind: "absent" };
      if (isKubeError(error, "TooManyRequests") && error.isFinal) {
        return { kind: "blocked", message: error.message, retryAfterMs: error.retryAfterMs ?? 10_000 };
      }
      throw error;
    }
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: ports.WatchOptions,
  ): AsyncGenerator<ports.WatchEvent<T>> {
    const ref = options.namespace === undefined ? {} : { namespace: options.namespace };
    const query: Query = {
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: options.resourceVersion,
      timeoutSeconds: options.timeoutSeconds,
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
    };
    const call: Call = {
      verb: "watch",
      method: "GET",
      resource,
      ref,
      path: pathFor(resource, ref),
      query,
      options: {},
    };
    const abort = new AbortController();
    const onAbort = (): void => abort.abort();
    if (options.signal.aborted) abort.abort();
    options.signal.addEventListener("abort", onAbort, { once: true });
    try {
      const { body } = await this.#exchange.open(call, abort);
      options.onOpen?.();
      const { inactivityMs } = options;
      yield* readWatch<T>({ body, clock: this.#clock, abort, inactivityMs, attempted: describe(call) });
    } finally {
      options.signal.removeEventListener("abort", onAbort);
      abort.abort();
    }
  }

  async getRaw(path: string, options: ports.RequestOptions = {}): Promise<string> {
    return this.#exchange.text({ verb: "get", method: "GET", resource: undefined, ref: { name: path }, path, options });
  }

  async postRaw(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
    options: ports.RequestOptions = {},
  ): Promise<string> {
    const ref = { name: path };
    return this.#exchange.text({
      verb: "post",
      method: "POST",
      resource: undefined,
      ref,
      path,
      body,
      headers,
      options,
    });
  }

  #write<T>(call: Call, options: ports.WriteOptions): Promise<T> {
    const query: Query = {
      ...call.query,
      fieldManager: options.fieldManager ?? this.#fieldManager,
      // A misspelt field must be an error, not silently dropped.
      fieldValidation: "Strict",
      dryRun: options.dryRun === true ? "All" : undefined,
    };
    return this.#exchange.json({ ...call, query });
  }
}

function deleteBody(options: ports.DeleteOptions): Record<string, unknown> {
  const { uid, resourceVersion, propagation, gracePeriodSeconds } = options;
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    ...(uid === undefined && resourceVersion === undefined ? {} : { preconditions: { uid, resourceVersion } }),
    ...(propagation === undefined ? {} : { propagationPolicy: propagation }),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
  };
}

// A PodDisruptionBudget refuses with 429 as the server's own overload does; only the cause tells them apart.
function isBudgetRefusal(body: StatusBody, status: number): boolean {
  return status === 429 && (body.details?.causes ?? []).some((cause) => cause.reason === "DisruptionBudget");
}

// Items of a list carry neither apiVersion nor kind.
function completed<T extends KubeObject>(resource: Resource<T>, item: T): T {
  item.apiVersion ??= apiVersionOf(resource);
  item.kind ??= resource.kind;
  return item;
}
