// What one process remembers of a cluster's own autoscaler between passes: the last choice and the wishes before it. Losing it makes
// a decrease wait for a whole window again, and nothing else.
import { nextAutoscale, NO_WISHES, type AutoscaleMemory } from "../autoscale/autoscale.ts";
import type { CustomObject } from "../kube/index.ts";
import { amountOf } from "./balance-memory.ts";
import { type AutoscaleFacts, type ClusterFacts, connectionsOf, freshValue } from "./facts.ts";
import type { EventValue, Plan } from "./plan.ts";

const RIVALS_MS = 30_000;
/** Pods are looked at this often at most while nothing else happens. */
const LOOK_MS = 15_000;

export class AutoscaleMemo {
  /** Name of a HorizontalPodAutoscaler of the same cluster. */
  rival: string | undefined;
  #facts: AutoscaleFacts | undefined;
  #memory: AutoscaleMemory = NO_WISHES;
  #askedAtMs: number | undefined;

  get facts(): AutoscaleFacts | undefined {
    if (this.#facts === undefined && this.rival === undefined) return undefined;
    const { wanted, replicas = 0, message = "" } = this.#facts ?? {};
    return { wanted, replicas, message, rival: this.rival };
  }

  rest(): void {
    this.rival = undefined;
    this.#facts = undefined;
    this.#memory = NO_WISHES;
    this.#askedAtMs = undefined;
  }

  mayAskForRivals(nowMs: number): boolean {
    if (this.#askedAtMs !== undefined && nowMs - this.#askedAtMs < RIVALS_MS) return false;
    this.#askedAtMs = nowMs;
    return true;
  }

  /** What the next pass is to follow. */
  next(
    facts: ClusterFacts,
    plan: Pick<Plan, "poll">,
    monotonicMs: number,
  ): { events: EventValue[]; requeueAfterMs?: number } {
    const spec = facts.spec.autoscaling;
    if (spec === undefined) return { events: [] };
    if (this.rival !== undefined) {
      const wasTold = facts.autoscale?.rival !== undefined;
      this.#facts = undefined;
      this.#memory = NO_WISHES;
      const message = `HorizontalPodAutoscaler ${this.rival} scales this cluster too; \`autoscaling\` stands back`;
      return { events: wasTold ? [] : [{ reason: "ScaledByOthers", message }], requeueAfterMs: RIVALS_MS };
    }
    const present = facts.spec.replicas;
    const isRolling = facts.sets.some((set) => set.role === "candidate" || set.role === "superseded");
    const { memory, wanted, replicas, message } = nextAutoscale(this.#memory, {
      nowMs: monotonicMs,
      spec,
      present,
      pods: facts.pods.flatMap((pod) =>
        pod.deleting || !pod.running || !pod.ready
          ? []
          : [{ connections: connectionsOf(pod), cpuCores: freshValue(pod.state)?.load.cpu }],
      ),
      coresPerPod: amountOf(facts.spec.server.resources?.limits?.["cpu"]) ?? 1,
      isRolling,
    });
    this.#memory = memory;
    const before = this.#facts;
    this.#facts = { wanted, replicas, message: calmText(before, { wanted, replicas, message }), rival: undefined };
    const isNews = replicas !== present;
    return {
      events: isNews ? [{ reason: "Autoscaled", message }] : [],
      requeueAfterMs: isNews ? 100 : plan.poll === "moving" ? undefined : LOOK_MS,
    } as { events: EventValue[]; requeueAfterMs?: number };
  }
}

/** Numbers that come and go by themselves are no news. */
function calmText(
  before: AutoscaleFacts | undefined,
  now: { readonly wanted: number | undefined; readonly replicas: number; readonly message: string },
): string {
  const isSame = before?.wanted === now.wanted && before?.replicas === now.replicas;
  return isSame && before !== undefined && shape(before.message) === shape(now.message) ? before.message : now.message;
}

function shape(text: string): string {
  return text.replaceAll(/[\d.]+/g, "#");
}

/** The first one whose target is this WebSocketCluster. KEDA makes one too. */
export function rivalAmong(autoscalers: readonly CustomObject[], cluster: string): string | undefined {
  return autoscalers.find(({ spec }) => {
    const target = field(spec, "scaleTargetRef");
    return field(target, "kind") === "WebSocketCluster" && field(target, "name") === cluster;
  })?.metadata.name;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
