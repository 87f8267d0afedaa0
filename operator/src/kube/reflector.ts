// Keeps one cache true: list, then watch for ever, through resets, silence, expired history and nonsense.
// What client-node's informer lacks and why each rule is here: it dies on a reset, leaks watches, never sees bookmarks.
import { backoffMs, type BackoffPolicy } from "../runtime/backoff.ts";
import { sleep, type Clock } from "../runtime/clock.ts";
import { isKubeError } from "./errors.ts";
import type { KubeObject } from "./objects.ts";
import type { Change, Freshness, Informer, KubeApi, Store } from "./ports.ts";
import type { Resource } from "./resources.ts";
import { ObjectStore, type ObjectStoreOptions } from "./store.ts";

export type ReflectorOptions<T extends KubeObject> = ObjectStoreOptions<T> & {
  client: Pick<KubeApi, "list" | "watch">;
  resource: Resource<T>;
  /** All namespaces when absent. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  /** Default 500 ms to 30 s. */
  backoff?: BackoffPolicy;
  /** The server ends a watch after a random time in this range. Default 240 to 480 s. */
  watchSeconds?: { min: number; max: number };
  /** Silence that counts as a dead connection. Default 150 s: more than two bookmark intervals. */
  inactivityMs?: number;
  /** Keeps `metadata.managedFields`, half of an object's size. Default false. */
  keepManagedFields?: boolean;
  /** Something went wrong and is being retried, or a handler threw. */
  onProblem?: (problem: { resource: string; doing: "list" | "watch" | "handle"; error: unknown }) => void;
};

// After so many watches in a row that brought nothing, the version itself may be the trouble (a restored etcd).
const LASTING_WATCH_MS = 10_000;
const FUTILE_WATCHES_BEFORE_RELIST = 4;

export class Reflector<T extends KubeObject> implements Informer<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #store: ObjectStore<T>;
  readonly #handlers = new Set<(change: Change<T>) => void>();
  readonly #stop = new AbortController();
  readonly #syncWaiters = new Set<() => void>();
  #loop: Promise<void> | undefined;
  #synced = false;
  #connected = false;
  #provenAtMs = -Infinity;
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#store = new ObjectStore(options);
  }

  get store(): Store<T> {
    return this.#store;
  }

  /** Starts once; later calls do nothing, so that there is never a second watch. */
  start(): void {
    if (this.#stop.signal.aborted) return;
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wakeSyncWaiters();
    await this.#loop;
  }

  hasSynced(): boolean {
    return this.#synced;
  }

  async waitForSync(signal?: AbortSignal): Promise<boolean> {
    while (!this.#synced && !this.#stop.signal.aborted && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#syncWaiters.delete(wake);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        this.#syncWaiters.add(wake);
        signal?.addEventListener("abort", wake, { once: true });
      });
    }
    return this.#synced;
  }

  freshness(): Freshness {
    return {
      synced: this.#synced,
      connected: this.#connected,
      ageMs: this.#options.clock.monotonicMs() - this.#provenAtMs,
    };
  }

  onChange(handler: (change: Change<T>) => void): () => void {
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    // Undefined: list first.
    let version: string | undefined;
    let futile = 0;
    while (!signal.aborted) {
      const doing = version === undefined ? "list" : "watch";
      try {
        if (version === undefined) {
          version = await this.#list();
          futile = 0;
          continue;
        }
        const watched = await this.#watch(version);
        version = watched.version;
        futile = watched.useful ? 0 : futile + 1;
        if (watched.error !== undefined) throw watched.error;
        if (!watched.useful) {
          // A server that ends watches at once must not be asked at full speed.
          this.#failures++;
          await this.#pause();
        }
      } catch (error) {
        if (signal.aborted) break;
        this.#problem(doing, error);
        // Only the server's word that the history is gone makes the version useless; all else continues from it.
        if (isKubeError(error, "Gone")) version = undefined;
        this.#failures++;
        await this.#pause();
      }
      if (futile >= FUTILE_WATCHES_BEFORE_RELIST) version = undefined;
    }
    this.#connected = false;
  }

  async #list(): Promise<string> {
    const { client, resource, namespace, labelSelector, fieldSelector } = this.#options;
    const list = await client.list(resource, {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      signal: this.#stop.signal,
    });
    for (const object of list.items) this.#strip(object);
    const changes = this.#store.replaceAll(list.items, list.resourceVersion);
    this.#prove();
    this.#emit(changes);
    this.#synced = true;
    this.#wakeSyncWaiters();
    return list.resourceVersion;
  }

  /** Follows one watch to its end. Never throws: how far it came counts also when it failed. */
  async #watch(from: string): Promise<{ version: string; useful: boolean; error?: Error }> {
    const { client, resource, namespace, labelSelector, fieldSelector, random } = this.#options;
    const { min, max } = this.#options.watchSeconds ?? { min: 240, max: 480 };
    const startedMs = this.#options.clock.monotonicMs();
    let version = from;
    let heard = false;
    const isUseful = (): boolean => heard || this.#options.clock.monotonicMs() - startedMs >= LASTING_WATCH_MS;
    try {
      const events = client.watch(resource, {
        ...(namespace === undefined ? {} : { namespace }),
        ...(labelSelector === undefined ? {} : { labelSelector }),
        ...(fieldSelector === undefined ? {} : { fieldSelector }),
        resourceVersion: from,
        timeoutSeconds: Math.round(min + (max - min) * random()),
        inactivityMs: this.#options.inactivityMs ?? 150_000,
        signal: this.#stop.signal,
        onOpen: () => {
          this.#connected = true;
          this.#prove();
        },
      });
      for await (const event of events) {
        heard = true;
        this.#failures = 0;
        this.#prove();
        if (event.type === "BOOKMARK") {
          version = event.resourceVersion;
          this.#store.advanceTo(version);
          continue;
        }
        version = event.object.metadata.resourceVersion;
        this.#strip(event.object);
        this.#emit(event.type === "DELETED" ? this.#store.remove(event.object) : this.#store.put(event.object));
      }
      return { version, useful: isUseful() };
    } catch (error) {
      return { version, useful: isUseful(), error: error instanceof Error ? error : new Error(String(error)) };
    } finally {
      this.#connected = false;
    }
  }

  #strip(object: T): void {
    if (this.#options.keepManagedFields !== true) delete object.metadata.managedFields;
  }

  #prove(): void {
    this.#provenAtMs = this.#options.clock.monotonicMs();
  }

  #emit(changes: readonly Change<T>[]): void {
    for (const change of changes) {
      for (const handler of this.#handlers) {
        try {
          handler(change);
        } catch (error) {
          this.#problem("handle", error);
        }
      }
    }
  }

  #problem(doing: "list" | "watch" | "handle", error: unknown): void {
    try {
      this.#options.onProblem?.({ resource: this.#options.resource.plural, doing, error });
    } catch {
      // Reporting must not end the loop.
    }
  }

  async #pause(): Promise<void> {
    const { backoff = { baseMs: 500, capMs: 30_000 }, clock, random } = this.#options;
    await sleep(clock, backoffMs(this.#failures, backoff, random()), this.#stop.signal);
  }

  #wakeSyncWaiters(): void {
    for (const wake of [...this.#syncWaiters]) wake();
  }
}
