// Nodes are drained and pods evicted in every way that people do it, on one living fleet. Each ends by a stated time, without
// --force, and no message is lost.
import { OPERATOR_SELECTOR, SYSTEM_NAMESPACE, systemPodsReady } from "../product/install.ts";
import { imageOf, type Chat } from "../product/chat.ts";
import { cordon, drainNode, evict, fullestNode, nodeNames, uncordon } from "../product/nodes.ts";
import { isReady, type PodObject } from "../product/objects.ts";
import { pause, waitFor } from "../product/wait.ts";
import type { Load } from "../load/load.ts";
import { Checks, Violation, type Scenario, type ScenarioContext } from "./scenario.ts";
import { breathe, checkNothingLost, figures, fullestServer, largeLoad, openChat, openLoad } from "./stage.ts";

const SERVERS = 4;
const EDGES = 2;
const CLIENTS = { quick: 200, full: 1_000 } as const;
const PER_SECOND = 100;
/** At 500 two cores do little else than open sockets, and writes waited up to 840 ms for that: it measured the machine. */
const EMERGENCY_PER_SECOND = 200;
/** Each chapter is done by then. */
const DONE_SECONDS = 120;
const SETTLE_MS = 60_000;
/** With the operator away the edge gives its clients this long; it is the edge's grace period. */
const EDGE_GRACE_SECONDS = { quick: 40, full: 90 } as const;
/** Long enough for three failed readiness probes. */
const STOPPED_MS = 12_000;
const CALL_MS = 10_000;
const DEPLOYMENT = "deployment/wscluster-operator";

type Stage = {
  readonly context: ScenarioContext;
  readonly chat: Chat;
  readonly load: Load;
  readonly checks: Checks;
  readonly nodes: readonly string[];
};

export const nodeDrains: Scenario = {
  name: "node-drains",
  shows: `nodes are drained and pods evicted in seven ways, operator up and down: each within ${DONE_SECONDS} s, without --force, nothing lost`,
  timeoutSeconds: 900,
  company: "alone",
  async run(context) {
    const { access, quick } = context;
    const nodes = await nodeNames(access);
    context.defer(() => uncordon(access, nodes));
    const chat = await openChat(context, {
      replicas: SERVERS,
      edgeReplicas: EDGES,
      edgeGraceSeconds: quick ? EDGE_GRACE_SECONDS.quick : EDGE_GRACE_SECONDS.full,
      maxPerSecond: PER_SECOND,
      emergencyMaxPerSecond: EMERGENCY_PER_SECOND,
    });
    const clients = quick ? CLIENTS.quick : CLIENTS.full;
    const load = await openLoad(context, chat, {
      clients,
      ...largeLoad(quick),
    });
    const stage: Stage = { context, chat, load, checks: new Checks(), nodes };
    await breathe(context);
    await chapter(stage, "drain with the operator up", () => drain(stage));
    await chapter(stage, "eviction without a cordon", () => evictions(stage));
    await chapter(stage, "all nodes cordoned, one drained, one comes back", () => drainAmongCordoned(stage));
    await chapter(stage, "drain beside the user's own budget", () => drainBesideBudget(stage));
    await chapter(stage, "drain with a candidate that cannot be pulled", () => drainWithBadCandidate(stage));
    stage.checks.equal("sockets cut with the operator up", load.stats?.cut, 0);
    await chapter(stage, "eviction of a pod that is not ready and holds sockets", () => evictNotReady(stage));
    await chapter(stage, "drain with the operator away", () => drainWithoutOperator(stage));
    await load.joinWitnesses();
    await breathe(context);
    const summary = await load.finish();
    context.say(figures(summary));
    checkNothingLost(stage.checks, summary);
    stage.checks.equal("new sessions after a break", summary.resets, 0);
    stage.checks.settle();
  },
};

/** Runs one way, says how long it took, and waits until the fleet is whole again. */
async function chapter(stage: Stage, name: string, act: () => Promise<void>): Promise<void> {
  const { context, load, checks, nodes } = stage;
  const begin = performance.now();
  const before = load.stats;
  await act();
  const seconds = Math.round((performance.now() - begin) / 100) / 10;
  const count = (of: "moved" | "resumed" | "cut") => (load.stats?.[of] ?? 0) - (before?.[of] ?? 0);
  context.say(
    `${name}: ${seconds} s; ${count("moved")} moved, ${count("resumed")} resumed, ${count("cut")} cut, hold ${Math.round(load.stats?.maxHoldMs ?? 0)} ms`,
  );
  checks.holds(`${name}: done within ${DONE_SECONDS} s`, seconds <= DONE_SECONDS, seconds);
  checks.equal(`${name}: faults so far`, load.stats?.faults, 0);
  await uncordon(context.access, nodes);
  await whole(stage);
}

async function whole({ context, chat }: Stage): Promise<void> {
  let seen = "";
  await waitFor(
    "the fleet to be whole",
    async () => {
      const [servers, edges] = [await chat.pods("server"), await chat.pods("edge")];
      seen = [...servers, ...edges].map((pod) => `${pod.metadata.name} ${isReady(pod)}`).join(", ");
      const isWhole = servers.length === SERVERS && edges.length === EDGES && [...servers, ...edges].every(isReady);
      return isWhole || undefined;
    },
    { timeoutMs: SETTLE_MS, everyMs: 1_000, seen: () => seen, signal: context.signal },
  );
}

async function fullNode({ chat, nodes }: Stage): Promise<string> {
  return fullestNode([...(await chat.pods("server")), ...(await chat.pods("edge"))], nodes);
}

/** Drains a node, and checks that nothing of the cluster is left on it. */
async function drain(stage: Stage, node?: string): Promise<void> {
  const { context, chat, checks } = stage;
  const name = node ?? (await fullNode(stage));
  const result = await drainNode(context.access, chat, name, DONE_SECONDS, context.signal);
  checks.holds(`${name} is drained`, result.isDone, result.said);
  const left = [...(await chat.pods("server")), ...(await chat.pods("edge"))].filter(
    (pod) => pod.spec.nodeName === name,
  );
  checks.equal(
    `pods left on ${name}`,
    left.map((pod) => pod.metadata.name),
    [],
  );
}

async function evictions(stage: Stage): Promise<void> {
  for (const component of ["server", "edge"] as const) {
    const victim =
      component === "server"
        ? (await fullestServer(stage.chat, stage.load)).pod
        : (await stage.chat.pods(component)).find(isReady);
    if (!victim) throw new Violation(`no ${component} pod is ready`);
    await evict(stage.chat, victim.metadata.name);
    await gone(stage, component, victim);
  }
}

async function gone({ context, chat }: Stage, component: "server" | "edge", pod: PodObject): Promise<void> {
  await waitFor(
    `${pod.metadata.name} to be gone`,
    async () => (await chat.pods(component)).every((one) => one.metadata.uid !== pod.metadata.uid) || undefined,
    { timeoutMs: DONE_SECONDS * 1_000, everyMs: 1_000, signal: context.signal },
  );
}

/** Nowhere to go at first: no pod may be taken that has no replacement, beyond the one that the budget allows. */
async function drainAmongCordoned(stage: Stage): Promise<void> {
  const { context, chat, checks, nodes } = stage;
  const node = await fullNode(stage);
  await cordon(context.access, nodes);
  const drained = drain(stage, node);
  await pause(CALL_MS, context.signal);
  const ready = (await chat.pods("server")).filter(isReady).length;
  checks.holds("at most one server pod is away while there is no room", ready >= SERVERS - 1, ready);
  await uncordon(
    context.access,
    nodes.filter((other) => other !== node),
  );
  await drained;
}

/** Two budgets on one pod refuse every eviction for good (kubernetes: "more than one PodDisruptionBudget"): ours steps back. */
async function drainBesideBudget(stage: Stage): Promise<void> {
  const { context, chat } = stage;
  const budget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "mine", namespace: chat.namespace },
    spec: { minAvailable: "50%", selector: { matchLabels: { "wscluster.io/cluster": chat.name } } },
  };
  await chat.kubectl(["apply", "--filename=-"], JSON.stringify(budget));
  await waitFor(
    "the operator's budgets to step back",
    async () =>
      (await chat.kubectl(["get", "pdb", "--output=name"])).trim() === "poddisruptionbudget.policy/mine" || undefined,
    { timeoutMs: CALL_MS, signal: context.signal },
  );
  await drain(stage);
  await chat.kubectl(["delete", "pdb", "mine"]);
}

async function drainWithBadCandidate(stage: Stage): Promise<void> {
  const { context, chat } = stage;
  const blue = context.images["server:v1"];
  await chat.setImage(blue.replace(/:[^:]+$/, ":no-such-tag"));
  await waitFor(
    "the candidate to be stuck",
    async () => (await chat.pods("server")).some((pod) => imageOf(pod) !== blue) || undefined,
    { timeoutMs: SETTLE_MS, signal: context.signal },
  );
  await drain(stage);
  await chat.setImage(blue);
}

/** A process that stands still fails its readiness; the eviction is allowed at once, and its drain begins when it wakes up. */
async function evictNotReady(stage: Stage): Promise<void> {
  const { context, chat, load, checks } = stage;
  const { driver } = context.access;
  const { pod: victim } = await fullestServer(chat, load);
  const { name } = victim.metadata;
  load.fault(true);
  await driver.signalContainer(chat.namespace, name, "server", "SIGSTOP");
  await pause(STOPPED_MS, context.signal);
  const now = (await chat.pods("server")).find((pod) => pod.metadata.uid === victim.metadata.uid);
  checks.equal("the stopped pod is ready", now !== undefined && isReady(now), false);
  await evict(chat, name);
  await driver.signalContainer(chat.namespace, name, "server", "SIGCONT");
  await gone(stage, "server", victim);
  load.fault(false);
}

/** Servers drain by SIGTERM, one after another by their budget; what is on the edge pod is closed in turn before its grace is over. */
async function drainWithoutOperator(stage: Stage): Promise<void> {
  const { context, load } = stage;
  const { access } = context;
  const scale = (replicas: number) =>
    access.kubectl(["scale", DEPLOYMENT, `--namespace=${SYSTEM_NAMESPACE}`, `--replicas=${replicas}`]);
  context.defer(async () => {
    await scale(1);
    await systemPodsReady(access, OPERATOR_SELECTOR, 1, context.images.operator);
  });
  await scale(0);
  load.fault(true);
  await drain(stage);
  load.fault(false);
  await scale(1);
}
