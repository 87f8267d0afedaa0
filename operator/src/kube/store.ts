// The cache of one kind: objects by key and uid, indexes, and how new it is. Filled by the reflector, read by everyone.
import { keyOf, type KubeObject, type ObjectRef } from "./objects.ts";
import type { Change, Store } from "./ports.ts";
import { isAtLeast, newerVersion } from "./resource-version.ts";

export type IndexFunction<T> = (object: T) => readonly string[];

export type ObjectStoreOptions<T> = {
  /** Label keys that `byLabel` answers without a scan. */
  indexLabels?: readonly string[];
  indexes?: Readonly<Record<string, IndexFunction<T>>>;
};

export class ObjectStore<T extends KubeObject> implements Store<T> {
  readonly #byKey = new Map<string, T>();
  readonly #byUid = new Map<string, T>();
  readonly #functions = new Map<string, IndexFunction<T>>();
  /** Index name -> value -> keys. */
  readonly #indexes = new Map<string, Map<string, Set<string>>>();
  #resourceVersion: string | undefined;

  constructor(options: ObjectStoreOptions<T> = {}) {
    this.#functions.set("owner", (object) => (object.metadata.ownerReferences ?? []).map((owner) => owner.uid));
    this.#functions.set("namespace", ({ metadata }) => [metadata.namespace ?? ""]);
    for (const label of options.indexLabels ?? []) {
      // With and without the namespace: a name that a thousand namespaces use must not cost a walk through all of them.
      this.#functions.set(labelIndex(label), ({ metadata }) => {
        const value = metadata.labels?.[label];
        return value === undefined ? [] : [value, inNamespace(metadata.namespace, value)];
      });
    }
    for (const [name, index] of Object.entries(options.indexes ?? {})) this.#functions.set(customIndex(name), index);
    for (const name of this.#functions.keys()) this.#indexes.set(name, new Map());
  }

  get size(): number {
    return this.#byKey.size;
  }

  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  get(ref: ObjectRef | string): T | undefined {
    return this.#byKey.get(typeof ref === "string" ? ref : keyOf(ref));
  }

  byUid(uid: string): T | undefined {
    return this.#byUid.get(uid);
  }

  list(namespace?: string): T[] {
    return namespace === undefined ? [...this.#byKey.values()] : this.#fromIndex("namespace", namespace);
  }

  byLabel(label: string, value: string, namespace?: string): T[] {
    const index = labelIndex(label);
    if (this.#indexes.has(index))
      return this.#fromIndex(index, namespace === undefined ? value : inNamespace(namespace, value));
    return this.list(namespace).filter((object) => object.metadata.labels?.[label] === value);
  }

  byOwner(ownerUid: string): T[] {
    return this.#fromIndex("owner", ownerUid);
  }

  byIndex(index: string, value: string): T[] {
    return this.#fromIndex(customIndex(index), value);
  }

  hasReached(ref: ObjectRef, resourceVersion: string): boolean {
    // The store's own version covers objects that are gone or left the selector by that write.
    if (this.#resourceVersion !== undefined && isAtLeast(this.#resourceVersion, resourceVersion)) return true;
    const present = this.get(ref);
    return present !== undefined && isAtLeast(present.metadata.resourceVersion, resourceVersion);
  }

  /** Everything in `seenVersion` is known to be in the cache (a bookmark, or the end of a list). */
  advanceTo(seenVersion: string): void {
    this.#resourceVersion = newerVersion(this.#resourceVersion, seenVersion);
  }

  /** An added or modified object. A new uid under a known name is a delete and an add, in this order. */
  put(object: T): Change<T>[] {
    this.advanceTo(object.metadata.resourceVersion);
    const key = keyOf(object.metadata);
    const previous = this.#byKey.get(key);
    const frozen = deepFreeze(object);
    if (previous === undefined) {
      this.#insert(key, frozen);
      return [{ type: "added", object: frozen }];
    }
    if (previous.metadata.uid !== object.metadata.uid) {
      this.#drop(key, previous);
      this.#insert(key, frozen);
      return [
        { type: "deleted", object: previous },
        { type: "added", object: frozen },
      ];
    }
    if (previous.metadata.resourceVersion === object.metadata.resourceVersion) return [];
    this.#drop(key, previous);
    this.#insert(key, frozen);
    return [{ type: "updated", object: frozen, previous }];
  }

  /** A deleted object in its last state. A late delete of an earlier holder of the name is ignored. */
  remove(object: T): Change<T>[] {
    this.advanceTo(object.metadata.resourceVersion);
    const key = keyOf(object.metadata);
    const previous = this.#byKey.get(key);
    if (previous === undefined || previous.metadata.uid !== object.metadata.uid) return [];
    this.#drop(key, previous);
    return [{ type: "deleted", object: deepFreeze(object) }];
  }

  /** The whole truth at once: what is not in it was deleted while nobody watched. */
  replaceAll(objects: readonly T[], resourceVersion: string): Change<T>[] {
    const changes: Change<T>[] = [];
    const present = new Set(objects.map((object) => keyOf(object.metadata)));
    for (const [key, previous] of [...this.#byKey]) {
      if (present.has(key)) continue;
      this.#drop(key, previous);
      changes.push({ type: "deleted", object: previous });
    }
    for (const object of objects) changes.push(...this.put(object));
    // Set, not raised: after a restored backup the server's versions may be lower than ours.
    this.#resourceVersion = resourceVersion;
    return changes;
  }

  #fromIndex(index: string, value: string): T[] {
    const found: T[] = [];
    for (const key of this.#indexes.get(index)?.get(value) ?? []) {
      const object = this.#byKey.get(key);
      if (object !== undefined) found.push(object);
    }
    return found;
  }

  #insert(key: string, object: T): void {
    this.#byKey.set(key, object);
    this.#byUid.set(object.metadata.uid, object);
    for (const [name, valuesOf] of this.#functions) {
      const index = this.#indexes.get(name);
      for (const value of valuesOf(object)) {
        const keys = index?.get(value);
        if (keys === undefined) index?.set(value, new Set([key]));
        else keys.add(key);
      }
    }
  }

  #drop(key: string, object: T): void {
    this.#byKey.delete(key);
    this.#byUid.delete(object.metadata.uid);
    for (const [name, valuesOf] of this.#functions) {
      const index = this.#indexes.get(name);
      for (const value of valuesOf(object)) {
        const keys = index?.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index?.delete(value);
      }
    }
  }
}

const labelIndex = (label: string): string => `label:${label}`;
// No value of a label holds a `/`.
const inNamespace = (namespace: string | undefined, value: string): string => `${namespace ?? ""}/${value}`;
const customIndex = (name: string): string => `custom:${name}`;

// A reader that changes a cached object would change what everyone else decides on.
function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
