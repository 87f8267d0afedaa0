// Redis stands still: nothing is restarted, no endpoint goes, no connection is moved, and everything goes on afterwards.
import type { Chat } from "../product/chat.ts";
import { REDIS_SELECTOR, SYSTEM_NAMESPACE, systemPods } from "../product/install.ts";
import { isReady, restartsOf } from "../product/objects.ts";
import { pause, waitFor } from "../product/wait.ts";
import { Checks, type Scenario, Violation } from "./scenario.ts";
import { breathe, checkNothingLost, figures, openChat, openLoad, ROLLOUT_TIMEOUT_MS } from "./stage.ts";

const CLIENTS = 60;
const FREEZE_TIMEOUT_MS = 30_000;
const RECOVERY_SECONDS = 5;

export const redisPaused: Scenario = {
  name: "redis-paused",
  shows: "while Redis stands still no endpoint goes, nothing restarts and nothing moves; afterwards all goes on",
  timeoutSeconds: 360,
  company: "alone",
  async run(context) {
    const pausedMs = context.quick ? 25_000 : 60_000;
    const chat = await openChat(context);
    const load = await openLoad(context, chat, { clients: CLIENTS, rooms: 10, messagesPerSecond: 0.5 });
    await breathe(context);
    const redis = (await systemPods(context.access, REDIS_SELECTOR))[0]?.metadata.name;
    if (redis === undefined) throw new Violation("there is no Redis pod");
    const signalRedis = (signal: NodeJS.Signals) =>
      context.access.driver.signalContainer(SYSTEM_NAMESPACE, redis, "redis", signal);
    const before = await fleetOf(chat);
    load.fault(true);
    context.defer(() => signalRedis("SIGCONT"));
    await signalRedis("SIGSTOP");
    const resumeAt = performance.now() + pausedMs;
    const condition = await waitFor(
      "DependenciesReady=False",
      async () =>
        (await chat.object()).status?.conditions?.find(
          (one) => one.type === "DependenciesReady" && one.status === "False",
        ),
      { timeoutMs: FREEZE_TIMEOUT_MS, signal: context.signal },
    );
    context.say(`${condition.reason}: ${condition.message}`);
    // Something to move, which has to wait.
    const green = context.images["server:v2"];
    await chat.setImage(green);
    await pause(Math.max(0, resumeAt - performance.now()), context.signal);
    const checks = new Checks();
    const during = await fleetOf(chat, new Set(before.pods.map((pod) => pod.uid)));
    checks.equal("pods, restarts, readiness and endpoints during the pause", during, before);
    checks.equal("moves during the pause", load.stats?.moved, 0);
    checks.equal("connected clients during the pause", load.stats?.connected, CLIENTS);
    await signalRedis("SIGCONT");
    await chat.switched(green, ROLLOUT_TIMEOUT_MS);
    await breathe(context, RECOVERY_SECONDS);
    load.fault(false);
    await load.joinWitnesses();
    await breathe(context, 2);
    const summary = await load.finish();
    context.say(figures(summary));
    checkNothingLost(checks, summary);
    checks.equal("publishes without an answer", summary.verdict.unanswered, 0);
    checks.equal("clients that moved afterwards", summary.movedClients, CLIENTS);
    checks.settle();
  },
};

/** What must not change. @param only pods of these uids: a candidate may have come in between. */
async function fleetOf(chat: Chat, only?: ReadonlySet<string>) {
  const pods = [...(await chat.pods("server")), ...(await chat.pods("edge"))]
    .filter((pod) => only === undefined || only.has(pod.metadata.uid))
    .map((pod) => ({ name: pod.metadata.name, uid: pod.metadata.uid, ready: isReady(pod), restarts: restartsOf(pod) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { pods, edge: await chat.endpoints(chat.name) };
}
