// The chart is uninstalled under a living fleet. It serves on, heals its pods, and its edge follows them; then the chart comes back.
// Before that the agent's image is changed by the user: the edge rolls, and only then.
import { namedArrivals, unnamedArrivals } from "../product/access-log.ts";
import { keyOf, type Chat } from "../product/chat.ts";
import { installChart, OPERATOR_SELECTOR, RELEASE, SYSTEM_NAMESPACE, systemPodsReady } from "../product/install.ts";
import { isReady, type PodObject } from "../product/objects.ts";
import { startRedis } from "../product/redis.ts";
import { waitFor } from "../product/wait.ts";
import type { Load } from "../load/load.ts";
import { Checks, Violation, type Scenario, type ScenarioContext } from "./scenario.ts";
import { breathe, checkNothingLost, figures, fullestServer, openChat, openLoad } from "./stage.ts";

const CLIENTS = { quick: 100, full: 1_000 } as const;
const SERVERS = 3;
const EDGES = 2;
const HEALED_MS = 60_000;
const FAULT_SECONDS = 15;

type Stage = { readonly context: ScenarioContext; readonly chat: Chat; readonly load: Load; readonly checks: Checks };

export const uninstalled: Scenario = {
  name: "uninstalled",
  shows:
    "with the chart uninstalled the fleet serves, a killed server pod and a killed edge pod are replaced and take traffic, nothing is lost",
  timeoutSeconds: 600,
  company: "alone",
  async run(context) {
    const { access, images, signal } = context;
    const redisUrl = await startRedis(access, context.namespace, images.redis);
    const chat = await openChat(context, { replicas: SERVERS, edgeReplicas: EDGES, redisUrl });
    const load = await openLoad(context, chat, {
      clients: CLIENTS[context.quick ? "quick" : "full"],
      rooms: context.quick ? 20 : 200,
      messagesPerSecond: context.quick ? 0.2 : 0.05,
    });
    const stage: Stage = { context, chat, load, checks: new Checks() };
    await breathe(context);
    await rollEdge(stage);
    context.defer(() => installChart(access, { images, replicas: 1 }));
    await access.helm(["uninstall", RELEASE, `--namespace=${SYSTEM_NAMESPACE}`, "--wait"], { signal });
    await systemPodsReady(access, OPERATOR_SELECTOR, 0, images.operator, signal);
    await breathe(context);
    stage.checks.equal("sockets cut by the uninstall", load.stats?.cut, 0);
    load.fault(true);
    await replaceServer(stage);
    await replaceEdge(stage);
    load.fault(false);
    await installChart(access, { images, replicas: 1, signal });
    await chat.ready();
    await breathe(context);
    const summary = await load.finish();
    context.say(figures(summary));
    checkNothingLost(stage.checks, summary);
    stage.checks.equal("new sessions after a break", summary.resets, 0);
    stage.checks.settle();
  },
};

/** The opt-in: the user names another agent image. Everybody moves to another edge, and no write waits long. */
async function rollEdge({ context, chat, load, checks }: Stage): Promise<void> {
  const agentImage = context.images["operator:v2"];
  const begin = performance.now();
  await chat.patch({ edge: { agentImage } });
  await waitFor(
    "the edge to run the new agent",
    async () => {
      const pods = await chat.pods("edge");
      const isNew = (pod: PodObject) => pod.spec.containers.some(({ image }) => image === agentImage);
      return (pods.length === EDGES && pods.every((pod) => isReady(pod) && isNew(pod))) || undefined;
    },
    { timeoutMs: 2 * HEALED_MS, everyMs: 1_000, signal: context.signal },
  );
  const seconds = Math.round((performance.now() - begin) / 1_000);
  const moves = load.stats?.moved ?? 0;
  context.say(
    `the edge rolled in ${seconds} s: ${moves} moves, ${(await namedArrivals(chat)).length} second sockets on the new pods, longest hold ${Math.round(load.stats?.maxHoldMs ?? 0)} ms`,
  );
  checks.holds("clients moved to the new edge", moves > 0, moves);
  checks.equal("sockets cut by the edge's roll", load.stats?.cut, 0);
}

async function replaceServer({ context, chat, load, checks }: Stage): Promise<void> {
  const old = await chat.pods("server");
  await kill(context, chat, (await fullestServer(chat, load)).pod, "server");
  const fresh = await replacement(context, chat, "server", SERVERS, old);
  await load.joinWitnesses();
  const taken = await waitFor(
    "the new server pod to have clients",
    async () => fresh.map((pod) => load.stats?.pods.get(keyOf(pod)) ?? 0).find((count) => count > 0),
    { timeoutMs: HEALED_MS, signal: context.signal },
  );
  context.say(`a killed server pod was replaced by ${fresh[0]?.metadata.name}, which has ${taken} clients`);
  checks.holds("clients on the new server pod", taken > 0, taken);
}

async function replaceEdge({ context, chat, load, checks }: Stage): Promise<void> {
  const old = await chat.pods("edge");
  const victim = old.find(isReady);
  if (!victim) throw new Violation("no edge pod is ready");
  await kill(context, chat, victim, "haproxy");
  const fresh = await replacement(context, chat, "edge", EDGES, old);
  const keys = new Set(fresh.map((pod) => pod.metadata.name));
  let seen = 0;
  await waitFor(
    "the new edge pod to let clients in",
    async () => {
      await load.joinWitnesses();
      seen = await unnamedArrivals(chat, keys);
      return seen > 0 || undefined;
    },
    { timeoutMs: HEALED_MS, everyMs: 2_000, signal: context.signal },
  );
  context.say(`a killed edge pod was replaced by ${[...keys].join()}, which let ${seen} clients in`);
  checks.holds("clients let in by the new edge pod", seen > 0, seen);
}

/** The process dies without a word, and the pod with it. */
async function kill(context: ScenarioContext, chat: Chat, pod: PodObject, container: string): Promise<void> {
  await context.access.driver.signalContainer(chat.namespace, pod.metadata.name, container, "SIGKILL");
  await chat.kubectl(["delete", "pod", pod.metadata.name, "--grace-period=0", "--force", "--wait=false"]);
  await breathe(context, FAULT_SECONDS);
}

async function replacement(
  context: ScenarioContext,
  chat: Chat,
  component: "server" | "edge",
  count: number,
  before: readonly PodObject[],
): Promise<readonly PodObject[]> {
  const known = new Set(before.map((pod) => pod.metadata.uid));
  return waitFor(
    `a new ${component} pod`,
    async () => {
      const pods = (await chat.pods(component)).filter(isReady);
      const fresh = pods.filter((pod) => !known.has(pod.metadata.uid));
      return pods.length === count && fresh.length > 0 ? fresh : undefined;
    },
    { timeoutMs: HEALED_MS, everyMs: 1_000, signal: context.signal },
  );
}
