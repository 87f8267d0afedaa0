// Before a rollout begins, and before the first client is led to its candidate: is there room, will its pods be able to empty
// themselves, does the store bear it, do both revisions understand each other, and what will clients see? Pure.
// Not here: what follows from it (rollout), and whether the numbers are true (contract/).
//
// Only what is certain may hold a rollout. A check that cannot be known because pods are silent or dead warns, and a rollout
// that nobody can be hurt by (nobody is connected, or no pod serves) is never held: it may be the one that repairs the fleet.
import type { PreflightStatus } from "@wscluster/crds";
import type { PodState } from "@wscluster/protocol";
import { paceLimitsOf } from "../../moves/limits.ts";
import {
  type ClusterFacts,
  connectionsOf,
  freshValue,
  type GateAt,
  knownConnections,
  type ServerPodFacts,
  type Verdict,
} from "../facts.ts";
import { DEFAULT_EDGE_CONNECTIONS } from "./children/edge.ts";
import { type Dependencies, dependenciesOf } from "./dependencies.ts";
import { hasEdge } from "./edges.ts";

/** Part of a candidate's capacity beyond which its pods are nearly full from the first minute. */
const FILL_PERCENT = 90;
/** A pod that ends moves so many a second by itself, in the first half of its time (the server's drain/self-drain.ts). */
const SELF_DRAIN_PER_SECOND = 100;
const DEFAULT_GRACE_SECONDS = 300;
const GRACE_RESERVE_SECONDS = 5;
const DEFAULT_MAX_PER_POD = 9_000;
/** A rollout that takes longer than people on call are awake. */
const LONG_SECONDS = 6 * 3_600;
/** Formats of the neighbouring version are read as well. */
const READABLE_DISTANCE = 1;

export type PreflightCheck = {
  readonly name: "donors" | "capacity" | "grace" | "store" | "duration" | "edge" | "formats" | "quota";
  readonly result: "ok" | "warn" | "fail";
  /** What there is; undefined where nobody knows. */
  readonly number?: number;
  readonly needed?: number;
  readonly message: string;
};

export type Preflight = {
  readonly checks: readonly PreflightCheck[];
  /** What clients of each kind will see. */
  readonly clients: string;
  /** Why no failure may hold this rollout, if so. */
  readonly exempt: string | undefined;
};

type PreflightFacts = Omit<ClusterFacts, "gate" | "memory">;

/** @param quota why the namespace's quotas leave no room for the candidate; undefined = they do, or nobody knows. */
export function preflightOf(facts: PreflightFacts, quota?: string): Preflight {
  const { wanted, pods } = facts;
  const donors = pods.filter((pod) => pod.revision !== wanted.servers && !pod.deleting && pod.running);
  const candidates = pods.filter((pod) => pod.revision === wanted.servers && pod.set === "attached" && !pod.deleting);
  const total = knownConnections(donors);
  const checks = [
    donorsCheck(donors),
    capacityCheck(facts, candidates, total),
    graceCheck(facts, total),
    storeCheck(facts, dependenciesOf(facts)),
    durationCheck(facts, total),
    ...edgeCheck(facts),
    ...formatsCheck(candidates, donors),
    ...(quota === undefined ? [] : [{ name: "quota", result: "fail", message: quota } as const]),
  ];
  return { checks, clients: clientsText(donors, total), exempt: exemptionOf(donors, total) };
}

/** What the rollout is told: a failure only where the specification wants it, and only where it may hold this rollout. */
export function preflightVerdict(facts: PreflightFacts, preflight: Preflight): Verdict {
  if (facts.spec.rollout?.preflight === "Warn" || preflight.exempt !== undefined) return { kind: "pass" };
  const failed = preflight.checks.filter((check) => check.result === "fail");
  if (failed.length === 0) return { kind: "pass" };
  return { kind: "fail", why: failed.map((check) => check.message).join("; ") };
}

const RESULTS = { ok: "Ok", warn: "Warn", fail: "Fail" } as const;

export function preflightStatusFor(at: GateAt, preflight: Preflight, verdict: Verdict): PreflightStatus {
  const isClean = preflight.checks.every((check) => check.result === "ok");
  return {
    attempt: at.attempt,
    result: verdict.kind === "fail" ? "Failed" : isClean ? "Passed" : "Warned",
    clients: preflight.clients.slice(0, 512),
    checks: preflight.checks.map(({ name, result, number, needed, message }) => ({
      name,
      result: RESULTS[result],
      ...(number === undefined ? {} : { number: bounded(number) }),
      ...(needed === undefined ? {} : { needed: bounded(needed) }),
      message: message.slice(0, 512),
    })),
  };
}

/** Numbers that came no further from each other than this are no news. */
const STEADY_PART = 0.1;
const STEADY_COUNT = 10;

/**
 * A fleet that waits is written about only when there is something to say: while every check finds what it found before, and about
 * as much of it, the words stay those of the last report. What is decided comes from what was found now.
 */
export function steadyPreflight(now: Preflight, at: GateAt, before: PreflightStatus | undefined): Preflight {
  const isSteady =
    before?.attempt === at.attempt &&
    before.checks.length === now.checks.length &&
    now.checks.every((check, index) => isLike(check, before.checks[index]));
  if (before === undefined || !isSteady) return now;
  const checks = now.checks.map((check, index): PreflightCheck => {
    const { number, needed, message } = before.checks[index] ?? check;
    return {
      name: check.name,
      result: check.result,
      message,
      ...(number === undefined ? {} : { number }),
      ...(needed === undefined ? {} : { needed }),
    };
  });
  return { ...now, checks, clients: before.clients };
}

function isLike(now: PreflightCheck, before: PreflightStatus["checks"][number] | undefined): boolean {
  if (before?.name !== now.name || before.result !== RESULTS[now.result]) return false;
  const isNear = (a: number | undefined, b: number | undefined): boolean =>
    a === undefined || b === undefined ? a === b : Math.abs(a - b) <= Math.max(STEADY_COUNT, STEADY_PART * b);
  return isNear(now.number, before.number) && isNear(now.needed, before.needed);
}

const bounded = (value: number): number => Math.max(0, Math.min(2_147_483_647, Math.round(value)));

function exemptionOf(donors: readonly ServerPodFacts[], total: number): string | undefined {
  if (!donors.some((pod) => pod.ready)) return "no pod of the old set serves";
  // Silent pods may hold clients; that alone is no reason to keep a broken fleet from being repaired.
  if (total === 0) return "nobody is known to be connected to the old set";
  return undefined;
}

function donorsCheck(donors: readonly ServerPodFacts[]): PreflightCheck {
  const silent = donors.filter((pod) => connectionsOf(pod) === undefined);
  const counted = { number: donors.length - silent.length, needed: donors.length };
  if (silent.length === 0) {
    return { name: "donors", result: "ok", ...counted, message: `${donors.length} pods of the old set answer` };
  }
  const names = silent
    .slice(0, 5)
    .map((pod) => pod.name)
    .join(", ");
  return {
    name: "donors",
    result: "warn",
    ...counted,
    message: `${silent.length} of ${donors.length} pods of the old set do not answer (${names}): what is on them is not in these numbers`,
  };
}

function capacityCheck(facts: PreflightFacts, candidates: readonly ServerPodFacts[], total: number): PreflightCheck {
  const reported = candidates.flatMap((pod) => freshValue(pod.state)?.capacity ?? []);
  const perPod =
    reported.length === 0
      ? (facts.spec.config?.connections?.maxPerPod ?? DEFAULT_MAX_PER_POD)
      : reported.reduce((sum, one) => sum + one, 0) / reported.length;
  const present = candidates.reduce((sum, pod) => sum + (freshValue(pod.state)?.connections ?? 0), 0);
  const room = Math.floor(perPod * facts.spec.replicas) - present;
  const numbers = { number: Math.max(0, room), needed: total };
  const text = `${total} connections are to move and ${facts.spec.replicas} pods have room for ${Math.max(0, room)}`;
  if (total > room) return { name: "capacity", result: "fail", ...numbers, message: text };
  const isTight = total > (room * FILL_PERCENT) / 100;
  return {
    name: "capacity",
    result: isTight ? "warn" : "ok",
    ...numbers,
    message: isTight ? `${text}: more than ${FILL_PERCENT} % of it` : text,
  };
}

function graceCheck({ spec }: PreflightFacts, total: number): PreflightCheck {
  const perPod = spec.replicas === 0 ? 0 : Math.ceil(total / spec.replicas);
  const needed = Math.ceil(perPod / SELF_DRAIN_PER_SECOND);
  const graceSeconds = spec.server.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  const number = Math.max(0, graceSeconds - GRACE_RESERVE_SECONDS);
  const base = { name: "grace", number, needed } as const;
  const has = `\`server.terminationGracePeriodSeconds\` ${graceSeconds}`;
  const text = `a pod with ${perPod} connections needs ${needed} s to empty itself`;
  if (needed > number) return { ...base, result: "fail", message: `${text} and has ${number} s (${has})` };
  // The real limit may be shorter than the grace (spot notice), so a pod does it in the first half.
  if (needed > number / 2) {
    return { ...base, result: "warn", message: `${text}, more than the half of its time in which it does so (${has})` };
  }
  return { ...base, result: "ok", message: `${text} (${has})` };
}

function storeCheck(facts: PreflightFacts, dependencies: Dependencies): PreflightCheck {
  const { asked, failing, silent } = dependencies;
  const base = { name: "store", number: asked - failing - silent, needed: asked } as const;
  if (dependencies.state === "down") {
    return { ...base, result: "fail", message: `the store does not answer to ${failing} of ${asked} pods` };
  }
  if (asked === 0) return { ...base, result: "ok", message: "no pod runs yet that could be asked for the store" };
  if (dependencies.state === "unknown") {
    return { ...base, result: "warn", message: `${silent} of ${asked} pods cannot be asked for the store` };
  }
  const stores = facts.pods.flatMap((pod) => freshValue(pod.state)?.broker.store ?? []);
  const evicting = stores.find((store) => store.evictionPolicy !== undefined && store.evictionPolicy !== "noeviction");
  if (evicting !== undefined) {
    return {
      ...base,
      result: "warn",
      message: `the store's maxmemory-policy is ${evicting.evictionPolicy}: it may throw sessions and history away; set noeviction`,
    };
  }
  const lonely = stores.find((store) => (store.replicas ?? 0) > 0 && store.minReplicasToWrite === 0);
  if (lonely !== undefined) {
    return {
      ...base,
      result: "warn",
      message:
        "the store has replicas and min-replicas-to-write 0: a primary that was cut off may take writes that are lost",
    };
  }
  return {
    ...base,
    result: "ok",
    message: `the store answers to ${base.number} of ${asked} pods${stores.length === 0 ? "; its settings are not known" : ""}`,
  };
}

function durationCheck({ spec }: PreflightFacts, total: number): PreflightCheck {
  const { maxPerSecond } = paceLimitsOf(spec.moves);
  const number = Math.ceil(total / maxPerSecond);
  const text = `${total} connections take at least ${number} s at \`moves.maxPerSecond\` ${maxPerSecond}`;
  if (spec.moves?.paused === true) {
    return {
      name: "duration",
      result: "warn",
      number,
      message: `${text}, and \`moves.paused\` is set: none will move`,
    };
  }
  const windows = (spec.moves?.windows ?? []).map(({ durationMinutes }) => durationMinutes * 60);
  const windowSeconds = windows.length === 0 ? Infinity : Math.max(...windows);
  if (number > windowSeconds) {
    const message = `${text}: more than the longest of \`moves.windows\` (${windowSeconds} s), so two sets run until the next one`;
    return { name: "duration", result: "warn", number, message };
  }
  const isLong = number > LONG_SECONDS;
  return {
    name: "duration",
    result: isLong ? "warn" : "ok",
    number,
    message: isLong ? `${text}: more than ${LONG_SECONDS / 3_600} h` : text,
  };
}

function edgeCheck(facts: PreflightFacts): PreflightCheck[] {
  if (!hasEdge(facts)) return [];
  const edges = facts.edgePods.filter((pod) => pod.ready && !pod.deleting);
  const perEdge = facts.spec.edge?.maxConnections ?? DEFAULT_EDGE_CONNECTIONS;
  const states = edges.flatMap((pod) => freshValue(pod.state) ?? []);
  const needed = states.reduce((sum, state) => sum + state.connections, 0);
  if (edges.length === 0 || states.length < edges.length) {
    const message = `${states.length} of ${edges.length} edge pods answer: what they hold is not known`;
    return [{ name: "edge", result: "warn", message }];
  }
  const number = perEdge * Math.max(1, edges.length - 1);
  const text = `${needed} connections, and ${edges.length} edge pods hold ${perEdge} each`;
  if (needed > perEdge * edges.length) return [{ name: "edge", result: "fail", number, needed, message: text }];
  if (needed <= number) return [{ name: "edge", result: "ok", number, needed, message: text }];
  return [{ name: "edge", result: "warn", number, needed, message: `${text}: none of them may fail` }];
}

/** Sessions and tickets go from one revision to the other: both must speak formats that the other reads. */
function formatsCheck(candidates: readonly ServerPodFacts[], donors: readonly ServerPodFacts[]): PreflightCheck[] {
  const spoken = (of: readonly ServerPodFacts[], what: keyof PodState["speaks"]) =>
    of.flatMap((pod) => freshValue(pod.state)?.speaks[what] ?? []);
  const pairs = (["session", "ticket", "protocol"] as const).map((what) => ({
    what,
    ours: spoken(candidates, what),
    theirs: spoken(donors, what),
  }));
  if (pairs.every(({ ours, theirs }) => ours.length === 0 || theirs.length === 0)) return [];
  const strange = pairs.find(({ ours, theirs }) =>
    theirs.some((their) => ours.some((our) => Math.abs(our - their) > READABLE_DISTANCE)),
  );
  if (strange === undefined) {
    return [
      { name: "formats", result: "ok", message: "both revisions read each other's sessions, tickets and frames" },
    ];
  }
  const list = (versions: readonly number[]) => [...new Set(versions)].toSorted((a, b) => a - b).join(", ");
  return [
    {
      name: "formats",
      result: "fail",
      message: `the old set speaks ${strange.what} format ${list(strange.theirs)}, the candidate ${list(strange.ours)}: they do not read each other`,
    },
  ];
}

function clientsText(donors: readonly ServerPodFacts[], total: number): string {
  const states = donors.flatMap((pod) => freshValue(pod.state) ?? []);
  const sum = (what: keyof PodState["sessions"]) => states.reduce((all, state) => all + state.sessions[what], 0);
  return `${total} clients: ${sum("migrate")} move without a break, ${sum("resume")} resume after a reconnect, ${sum("plain")} plain clients will see a reconnect`;
}
