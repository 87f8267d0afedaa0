// The API server of the small world: objects in a map, applies as replacement of what is ours. Test code only.
import { decideApply, type KubeObject, type Manifest, withAppliedHash } from "../../kube/index.ts";

export type Stored = KubeObject & { [field: string]: unknown };
type Unstored = { apiVersion: string; kind: string; metadata: Manifest["metadata"]; [field: string]: unknown };

export type TableChange = { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: Stored };

export class ObjectTable {
  /** Sees every change, in order. */
  onChange: ((change: TableChange) => void) | undefined;
  readonly #objects = new Map<string, Stored>();
  #versions = 100;
  #uids = 0;
  #serials = 0;

  get(kind: string, name: string): Stored | undefined {
    return this.#objects.get(`${kind}/${name}`);
  }

  list(kind: string): Stored[] {
    return [...this.#objects.values()].filter((object) => object.kind === kind);
  }

  nextUid(): string {
    this.#uids++;
    return `${this.#uids.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
  }

  nextSerial(): number {
    return ++this.#serials;
  }

  put(object: Unstored | Stored): Stored {
    this.#versions++;
    const metadata = {
      ...object.metadata,
      uid: object.metadata.uid ?? this.nextUid(),
      resourceVersion: String(this.#versions),
    };
    const stored: Stored = { ...object, metadata };
    const key = `${object.kind}/${object.metadata.name}`;
    const type = this.#objects.has(key) ? "MODIFIED" : "ADDED";
    this.#objects.set(key, stored);
    this.onChange?.({ type, object: stored });
    return stored;
  }

  remove(kind: string, name: string): void {
    const object = this.get(kind, name);
    if (object === undefined) return;
    this.#objects.delete(`${kind}/${name}`);
    this.#versions++;
    const metadata = { ...object.metadata, resourceVersion: String(this.#versions) };
    this.onChange?.({ type: "DELETED", object: { ...object, metadata } });
  }

  get version(): string {
    return String(this.#versions);
  }

  /** Server-side apply by one manager. Says whether a request had to be sent. */
  apply(intent: Manifest, nowMs: number): { sent: boolean; object: Stored } {
    const live = this.get(intent.kind, intent.metadata.name);
    const { resourceVersion, uid } = intent.metadata;
    const marked = withAppliedHash(intent);
    const decision = decideApply(marked, live);
    if (!decision.send && live !== undefined) return { sent: false, object: live };
    if (resourceVersion !== undefined && resourceVersion !== live?.metadata.resourceVersion)
      throw new Error("conflict");
    if (uid !== undefined && uid !== live?.metadata.uid) throw new Error("conflict");
    const generation = (live?.metadata.generation ?? 0) + 1;
    const metadata = {
      ...marked.metadata,
      generation,
      creationTimestamp: live?.metadata.creationTimestamp ?? new Date(nowMs).toISOString(),
      uid: live?.metadata.uid ?? this.nextUid(),
    };
    return { sent: true, object: this.put({ ...marked, status: live?.["status"], metadata }) };
  }
}
