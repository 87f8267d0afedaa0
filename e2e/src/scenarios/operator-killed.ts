// The operator is killed in mid-rollout: every voluntary move stops within one window, nothing is lost, and it goes on later.
import { OPERATOR_SELECTOR, SYSTEM_NAMESPACE, systemPods, systemPodsReady } from "../product/install.ts";
import { pause } from "../product/wait.ts";
import { Checks, type Scenario } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad, ROLLOUT_TIMEOUT_MS, untilLoad } from "./stage.ts";

const CLIENTS = 300;
const PER_SECOND = 25;
/** A grant lapses after this. */
const WINDOW_MS = 1_000;
/** From the pod's `migrate` to the second socket: not the operator's any more. */
const CONNECT_MS = 750;
const DEAD_SECONDS = 8;
const DEPLOYMENT = "deployment/wscluster-operator";

export const operatorKilled: Scenario = {
  name: "operator-killed",
  shows: "with the operator killed (-9) in mid-rollout moves stop within one window, and finish when it is back",
  timeoutSeconds: 300,
  company: "alone",
  async run(context) {
    const { access } = context;
    const scale = (replicas: number) =>
      access.kubectl(["scale", DEPLOYMENT, `--namespace=${SYSTEM_NAMESPACE}`, `--replicas=${replicas}`]);
    const signalAll = async (signal: NodeJS.Signals) => {
      const pods = await systemPods(access, OPERATOR_SELECTOR);
      await Promise.all(
        pods.map((pod) => access.driver.signalContainer(SYSTEM_NAMESPACE, pod.metadata.name, "operator", signal)),
      );
    };
    const chat = await openChat(context, { maxPerSecond: PER_SECOND });
    const load = await openLoad(context, chat, { clients: CLIENTS });
    await breathe(context);
    const green = context.images["server:v2"];
    await chat.setImage(green);
    await untilLoad(context, load, "a third to have moved", (stats) => stats.moved >= CLIENTS * 0.3);
    context.defer(async () => void (await scale(1)));
    // Stopped first, so that it can neither come back at once nor say good-bye while its Deployment is scaled down.
    await signalAll("SIGSTOP");
    const deadAt = performance.timeOrigin + performance.now();
    await scale(0);
    await signalAll("SIGKILL");
    await pause(DEAD_SECONDS * 1_000, context.signal);
    const backAt = performance.timeOrigin + performance.now();
    const movedWhileDead = load.stats?.moved ?? 0;
    await scale(1);
    await systemPodsReady(access, OPERATOR_SELECTOR, 1, context.images.operator, context.signal);
    await load.joinWitnesses();
    await chat.switched(green, ROLLOUT_TIMEOUT_MS);
    await chat.settled(green, 3, ROLLOUT_TIMEOUT_MS);
    await breathe(context);
    const summary = await load.finish();
    const late = summary.begunAtMs.filter((at) => at > deadAt + WINDOW_MS + CONNECT_MS && at < backAt);
    const percent = (100 * movedWhileDead) / CLIENTS;
    context.say(
      `${percent.toFixed(0)} % had moved when it was killed; ${late.length} moves began later than a window after`,
    );
    context.say(figures(summary));
    const checks = new Checks();
    checkNobodyNoticed(checks, summary);
    checks.holds("killed with 20-80 % moved", percent >= 20 && percent <= 80, percent);
    checks.equal("moves begun later than one window after the kill", late.length, 0);
    checks.equal("clients that moved", summary.movedClients, CLIENTS);
    checks.settle();
  },
};
