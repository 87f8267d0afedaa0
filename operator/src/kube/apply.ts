// Server-side apply that sends nothing when nothing would change: the reason why an idle hour has no write requests.
import { createHash } from "node:crypto";
import { differencesOf, type Difference } from "./contained.ts";
import type { KubeObject, Manifest } from "./objects.ts";
import type { ApplyOptions, KubeApi } from "./ports.ts";
import type { Resource } from "./resources.ts";

/** Carries the hash of the last intent: containment cannot see that a field was REMOVED from an intent, this can. */
export const APPLIED_HASH_ANNOTATION = "wscluster.io/applied-hash";

export type ApplyDecision =
  | { send: false }
  | { send: true; because: "absent" | "intentChanged" | "drifted"; differences: Difference[] };

export type ApplyOutcome<T> =
  | { sent: false; object: T }
  | { sent: true; object: T; because: "absent" | "intentChanged" | "drifted"; differences: Difference[] };

export type ApplierOptions = {
  client: Pick<KubeApi, "apply">;
  /** Each field manager that writes to one object needs an annotation of its own. Default `APPLIED_HASH_ANNOTATION`. */
  hashAnnotation?: string;
  /** Passed to every apply, if the client's own is not the right one. */
  fieldManager?: string;
};

// Objects whose last apply did not bring the wanted state; bounded, since deleted objects are not reported to us.
const MOST_REMEMBERED = 10_000;

export class Applier {
  readonly #options: ApplierOptions;
  /** uid -> what stayed different right after an apply. */
  readonly #unreachable = new Map<string, string>();

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  get #annotation(): string {
    return this.#options.hashAnnotation ?? APPLIED_HASH_ANNOTATION;
  }

  /**
   * Makes `live` as `intent` says, with at most one request.
   *
   * @param live the cached object; undefined when there is none
   */
  async apply<T extends KubeObject>(
    resource: Resource<T>,
    intent: Manifest,
    live: T | undefined,
    options: ApplyOptions = {},
  ): Promise<ApplyOutcome<T>> {
    const marked = withAppliedHash(intent, this.#annotation);
    const decision = decideApply(marked, live, this.#annotation);
    if (!decision.send && live !== undefined) return { sent: false, object: live };
    const known = live === undefined ? undefined : this.#unreachable.get(live.metadata.uid);
    const { because, differences } = decision.send
      ? decision
      : { because: "absent" as const, differences: [] as Difference[] };
    if (live !== undefined && because === "drifted" && known === fingerprintOf(differences)) {
      // The server or a webhook insists on another value: repeating the request would be a write loop.
      return { sent: false, object: live };
    }
    const { fieldManager } = this.#options;
    const object = await this.#options.client.apply(resource, marked, {
      ...(fieldManager === undefined ? {} : { fieldManager }),
      ...options,
    });
    if (options.dryRun !== true) this.#remember(object.metadata.uid, differencesOf(marked, object));
    return { sent: true, object, because, differences };
  }

  #remember(uid: string, remaining: Difference[]): void {
    this.#unreachable.delete(uid);
    if (remaining.length === 0) return;
    this.#unreachable.set(uid, fingerprintOf(remaining));
    if (this.#unreachable.size <= MOST_REMEMBERED) return;
    const oldest = this.#unreachable.keys().next().value;
    if (oldest !== undefined) this.#unreachable.delete(oldest);
  }
}

/** The intent with the hash of itself in an annotation. */
export function withAppliedHash(intent: Manifest, annotation: string = APPLIED_HASH_ANNOTATION): Manifest {
  const annotations = { ...intent.metadata.annotations };
  delete annotations[annotation];
  const bare = { ...intent, metadata: { ...intent.metadata, annotations } };
  annotations[annotation] = intentHash(bare);
  return bare;
}

/** Whether an intent that carries its hash must be sent. Pure. */
export function decideApply(
  marked: Manifest,
  live: KubeObject | undefined,
  annotation: string = APPLIED_HASH_ANNOTATION,
): ApplyDecision {
  if (live === undefined) return { send: true, because: "absent", differences: [] };
  const differences = differencesOf(marked, live);
  if (marked.metadata.annotations?.[annotation] !== live.metadata.annotations?.[annotation]) {
    return { send: true, because: "intentChanged", differences };
  }
  return differences.length === 0 ? { send: false } : { send: true, because: "drifted", differences };
}

/** Equal for equal intents whatever the order of their keys. Uid and version guards are not part of an intent. */
export function intentHash(intent: Manifest): string {
  const { uid: _uid, resourceVersion: _version, ...metadata } = intent.metadata;
  const text = JSON.stringify(sorted({ ...intent, metadata }));
  return createHash("sha256").update(text).digest("hex").slice(0, 20);
}

function fingerprintOf(differences: readonly Difference[]): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(differences)))
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, part]) => [name, sorted(part)]));
}
