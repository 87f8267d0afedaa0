// Remembers what this process wrote until the caches have seen it: a decision on an older cache would act twice (KEP-5647).
import { keyOf, type KubeObject, type ObjectRef } from "./objects.ts";
import type { Store } from "./ports.ts";
import type { Resource } from "./resources.ts";

export type PendingWrite = { resource: string; ref: ObjectRef; sinceMs: number; what: string };

type Entry = PendingWrite & { isSeen: (store: Store<KubeObject>) => boolean };

export class OwnWrites {
  readonly #storeOf: (resource: Resource) => Store<KubeObject> | undefined;
  readonly #now: () => number;
  /** Scope (e.g. the cluster's key) -> object -> last write. */
  readonly #scopes = new Map<string, Map<string, Entry & { row: Resource }>>();

  /** @param now monotonic milliseconds */
  constructor(storeOf: (resource: Resource) => Store<KubeObject> | undefined, now: () => number) {
    this.#storeOf = storeOf;
    this.#now = now;
  }

  /** Remembers the object that a create, apply or patch returned. */
  wrote(scope: string, resource: Resource, object: KubeObject): void {
    const { resourceVersion, uid: _uid, ...rest } = object.metadata;
    const ref = refOf(rest);
    this.#remember(scope, resource, ref, `version ${resourceVersion}`, (store) =>
      store.hasReached(ref, resourceVersion),
    );
  }

  /** Remembers a delete whose answer carried no version: seen when the cache no longer holds this uid. */
  deleted(scope: string, resource: Resource, ref: ObjectRef, uid: string): void {
    this.#remember(scope, resource, ref, "deletion", (store) => store.byUid(uid) === undefined);
  }

  /** Writes of this scope that the caches have not seen yet; empty means: decide. Kinds without a cache never block. */
  pending(scope: string): PendingWrite[] {
    const writes = this.#scopes.get(scope);
    if (writes === undefined) return [];
    for (const [key, entry] of [...writes]) {
      const store = this.#storeOf(entry.row);
      if (store === undefined || entry.isSeen(store)) writes.delete(key);
    }
    if (writes.size === 0) this.#scopes.delete(scope);
    return [...writes.values()].map(({ resource, ref, sinceMs, what }) => ({ resource, ref, sinceMs, what }));
  }

  forget(scope: string): void {
    this.#scopes.delete(scope);
  }

  #remember(
    scope: string,
    row: Resource,
    ref: ObjectRef,
    what: string,
    isSeen: (store: Store<KubeObject>) => boolean,
  ): void {
    const writes = this.#scopes.get(scope) ?? new Map<string, Entry & { row: Resource }>();
    this.#scopes.set(scope, writes);
    const entry = { row, resource: row.plural, ref, sinceMs: this.#now(), what, isSeen };
    writes.set(`${row.group}/${row.plural}/${keyOf(ref)}`, entry);
  }
}

function refOf(metadata: { namespace?: string | undefined; name: string }): ObjectRef {
  return metadata.namespace === undefined
    ? { name: metadata.name }
    : { namespace: metadata.namespace, name: metadata.name };
}
