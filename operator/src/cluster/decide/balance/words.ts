// What is said about the balance: the condition `Balanced`, and the numbers in the status. Pure.
import type { WebSocketClusterStatus } from "@wscluster/crds";
import type { Advice, Cause } from "../../../rebalance/index.ts";
import type { BalanceFacts, ClusterFacts } from "../../facts.ts";
import type { ConditionReason } from "../../reasons.ts";
import { namedIn } from "./report.ts";

export type BalanceVerdict = {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: ConditionReason;
  readonly message: string;
};

export function namesOf(facts: Pick<ClusterFacts, "pods">): ReadonlyMap<string, string> {
  return new Map(facts.pods.map((pod) => [pod.key, pod.name]));
}

/** What makes the load uneven, in one sentence: a key that has to be spread, or a pod that has too much or too little. */
export function causeText(causes: readonly Cause[], names: ReadonlyMap<string, string>): string {
  const texts = causes.slice(0, 3).map((cause) => {
    const pod = names.get(cause.pod) ?? cause.pod;
    const off = cause.loadPercent - 100;
    if (cause.kind === "cold-pod") return `pod ${pod} holds ${-off} % below the mean`;
    const over = `pod ${pod} holds ${off} % over the mean`;
    return cause.kind === "hot-key" ? `${over}, most of it in partition ${cause.partition}` : over;
  });
  return `${texts.join("; ")}${causes.length > 3 ? ` and ${causes.length - 3} more` : ""}`;
}

const RESTFUL: Readonly<Record<Exclude<Advice["kind"], "plan">, Omit<BalanceVerdict, "message">>> = {
  unknown: { status: "Unknown", reason: "LoadUnknown" },
  balanced: { status: "True", reason: "Even" },
  watching: { status: "True", reason: "ImbalanceWatched" },
  quiet: { status: "False", reason: "CoolingDown" },
  stuck: { status: "False", reason: "NoMoveHelps" },
};

export function adviceVerdict(facts: ClusterFacts, balance: BalanceFacts): BalanceVerdict {
  const names = namesOf(facts);
  const { advice, settings } = balance;
  const hot = [
    ...advice.hotPartitions.map((one) => `partition ${one}`),
    ...advice.hotChannels.map((one) => `channel ${one}`),
  ];
  const also = hot.length === 0 ? "" : `; hot by itself: ${hot.slice(0, 3).join(", ")}`;
  const why = advice.causes.length === 0 ? "" : `${causeText(advice.causes, names)}; `;
  const message = namedIn(`${why}${advice.message}${also}`, names);
  if (advice.kind === "balanced") {
    const even = `no pod is further than ${settings.maxImbalancePercent} % from the mean load`;
    return { ...RESTFUL.balanced, message: namedIn(`${even}${also}`, names) };
  }
  if (advice.kind === "plan") return { status: "False", reason: "Imbalanced", message };
  return { ...RESTFUL[advice.kind], message };
}

/** Numbers that come and go by themselves are no news: the text stays until it says something else. */
export function calmVerdict(facts: ClusterFacts, verdict: BalanceVerdict): BalanceVerdict {
  const before = facts.cluster.status?.conditions?.find((condition) => condition.type === "Balanced");
  if (before?.status !== verdict.status || before.reason !== verdict.reason) return verdict;
  return isSameNews(before.message, verdict.message) ? { ...verdict, message: before.message } : verdict;
}

export function isSameNews(before: string, now: string): boolean {
  if (before.replaceAll(/\d+/g, "#") !== now.replaceAll(/\d+/g, "#")) return false;
  const numbers = (text: string): number[] =>
    [...text.matchAll(/(\d+)( s\b)?/g)].map(([, digits, time]) => (time === undefined ? Number(digits) : 0));
  const [old, next] = [numbers(before), numbers(now)];
  return old.every((number, index) => Math.abs(number - (next[index] ?? 0)) <= Math.max(10, 0.25 * number));
}

/** Kept as it was while it says about the same. */
export function loadStatusFor(facts: ClusterFacts, balance: BalanceFacts): NonNullable<WebSocketClusterStatus["load"]> {
  const names = namesOf(facts);
  const nameOf = (key: string): string => names.get(key) ?? key;
  const { advice, loads, health, servingPods } = balance;
  const ordered = [...loads].toSorted(([, a], [, b]) => b - a);
  const [hottest, coldest] = [ordered[0], ordered.at(-1)];
  const scores = [...health.values()].flatMap((one) => (one.kind === "known" ? [one.score] : []));
  const next = {
    ...(advice.imbalancePercent === undefined ? {} : { imbalancePercent: Math.round(advice.imbalancePercent) }),
    knownPods: loads.size,
    servingPods,
    ...(hottest === undefined ? {} : { hottest: nameOf(hottest[0]), hottestPercent: Math.round(100 * hottest[1]) }),
    ...(coldest === undefined ? {} : { coldest: nameOf(coldest[0]), coldestPercent: Math.round(100 * coldest[1]) }),
    ...(scores.length === 0 ? {} : { worstHealth: Math.min(...scores) }),
    ...hotOf("hotPartitions", advice.hotPartitions, names),
    ...hotOf("hotChannels", advice.hotChannels, names),
  };
  const before = facts.cluster.status?.load;
  return before !== undefined && isAbout(before, next) ? before : next;
}

function hotOf(field: string, keys: readonly string[], names: ReadonlyMap<string, string>) {
  return keys.length === 0 ? {} : { [field]: keys.slice(0, 8).map((key) => namedIn(key, names)) };
}

type Load = NonNullable<WebSocketClusterStatus["load"]>;

function isAbout(before: Load, now: Load): boolean {
  const near = (a: number | undefined, b: number | undefined): boolean =>
    a === b || (a !== undefined && b !== undefined && Math.abs(a - b) <= 10);
  return (
    before.knownPods === now.knownPods &&
    before.servingPods === now.servingPods &&
    near(before.imbalancePercent, now.imbalancePercent) &&
    near(before.hottestPercent, now.hottestPercent) &&
    near(before.coldestPercent, now.coldestPercent) &&
    near(before.worstHealth, now.worstHealth) &&
    String(before.hotPartitions) === String(now.hotPartitions) &&
    String(before.hotChannels) === String(now.hotChannels)
  );
}
