// Fewer and more pods while everybody talks: a decrease that is overtaken by an increase, an autoscaler on /scale during a rollout,
// and a large `replicas` that falls out of a manifest.
import { imageOf, type Chat } from "../product/chat.ts";
import { chatCluster, type ChatManifest } from "../product/chat-cluster.ts";
import { REDIS_URL } from "../product/install.ts";
import { isReady } from "../product/objects.ts";
import { pause, waitFor } from "../product/wait.ts";
import type { Load } from "../load/load.ts";
import { Checks, Violation, type Scenario, type ScenarioContext } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, largeLoad, openChat, openLoad, ROLLOUT_TIMEOUT_MS } from "./stage.ts";

const CLIENTS = { quick: 200, full: 1_000 } as const;
const PER_SECOND = { quick: 50, full: 100 } as const;
/** Replicas at first, wanted in between, wanted at last. */
const COURSE = { quick: [4, 2, 3], full: [6, 3, 5] } as const;
/** As many as a user had while he needed them, and then leaves out of the manifest: the default of 2 counts. */
const LARGE = { quick: 5, full: 8 } as const;
const DONE_MS = 120_000;
/** Longer than two rounds of the autoscaler. */
const HELD_MS = 20_000;

type Stage = {
  readonly context: ScenarioContext;
  readonly chat: Chat;
  readonly load: Load;
  readonly checks: Checks;
  readonly clients: number;
};

export const scaledInFlight: Scenario = {
  name: "scaled-in-flight",
  shows:
    "replicas fall and rise in flight, an autoscaler looks on, `replicas` vanishes from a manifest: pods leave by name and empty, nobody notices",
  timeoutSeconds: 600,
  company: "alone",
  async run(context) {
    const size = context.quick ? "quick" : "full";
    const clients = CLIENTS[size];
    const [first, between, last] = COURSE[size];
    const chat = await openChat(context, { replicas: first, maxPerSecond: PER_SECOND[size] });
    const load = await openLoad(context, chat, {
      clients,
      ...largeLoad(context.quick),
    });
    const stage: Stage = { context, chat, load, checks: new Checks(), clients };
    await breathe(context);
    await fallAndRise(stage, between, last);
    await rollUnderAutoscaler(stage, last);
    await loseTheField(stage, LARGE[size], last);
    await load.joinWitnesses();
    await breathe(context);
    const summary = await load.finish();
    context.say(figures(summary));
    checkNobodyNoticed(stage.checks, summary);
    stage.checks.settle();
  },
};

async function fallAndRise({ context, chat, checks }: Stage, between: number, last: number): Promise<void> {
  const before = await readyUids(chat);
  const begin = performance.now();
  await scale(chat, between);
  await waitFor(
    "the first pod to leave",
    async () => (await chat.events()).some((event) => event.reason === "ScalingDown") || undefined,
    { timeoutMs: DONE_MS, signal: context.signal },
  );
  await scale(chat, last);
  const after = await settled(context, chat, last);
  const seconds = Math.round((performance.now() - begin) / 1_000);
  const kept = after.filter((uid) => before.includes(uid)).length;
  context.say(`${before.length} -> ${between} -> ${last}: ${seconds} s, ${kept} of ${last} pods are those of before`);
  checks.holds("pods that need not go stay", kept >= last - 1, { before, after });
}

/** Without metrics an autoscaler changes nothing, whatever the rollout does to the number of pods; the selector is what it sums over. */
async function rollUnderAutoscaler({ context, chat, checks }: Stage, replicas: number): Promise<void> {
  const autoscaler = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: chat.name, namespace: chat.namespace },
    spec: {
      scaleTargetRef: { apiVersion: "wscluster.io/v1alpha1", kind: "WebSocketCluster", name: chat.name },
      minReplicas: 2,
      maxReplicas: replicas + 1,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
      ],
    },
  };
  await chat.kubectl(["apply", "--filename=-"], JSON.stringify(autoscaler));
  const green = context.images["server:v2"];
  await chat.setImage(green);
  const wanted = new Set<number>();
  await waitFor(
    "the rollout under the autoscaler",
    async () => {
      const { spec, status } = await chat.object();
      wanted.add(spec.replicas);
      return status?.sets?.find((set) => set.image === green && set.role === "stable");
    },
    { timeoutMs: ROLLOUT_TIMEOUT_MS, everyMs: 500, signal: context.signal },
  );
  await settled(context, chat, replicas, green);
  checks.equal("values of spec.replicas during the rollout", [...wanted], [replicas]);
  const seen = JSON.parse(await chat.kubectl(["get", "hpa", chat.name, "--output=json"])) as AutoscalerObject;
  const conditions = (seen.status?.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} (${reason})`);
  checks.holds(
    "the autoscaler can scale it",
    conditions.some((text) => text.startsWith("AbleToScale=True")),
    conditions,
  );
  context.say(`under an autoscaler: replicas stayed ${[...wanted].join()}; it says ${conditions.join(", ")}`);
  await chat.kubectl(["delete", "hpa", chat.name]);
}

type AutoscalerObject = {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
};

/** The default would be too few for those who are there: no pod goes, and the resource says how many would do. */
async function loseTheField(stage: Stage, large: number, enough: number): Promise<void> {
  const { context, chat, checks, clients } = stage;
  const image = context.images["server:v2"];
  const maxPerPod = Math.ceil(clients / (0.85 * enough));
  await chat.patch({ config: { connections: { maxPerPod } } });
  const manifest = chatCluster({ image, namespace: context.namespace, redisUrl: REDIS_URL, replicas: large });
  await chat.apply(manifest);
  const before = await settled(context, chat, large);
  await chat.apply(withoutReplicas(manifest));
  const held = await waitFor(
    "the decrease to be held",
    async () => {
      const { status } = await chat.object();
      return status?.conditions?.find((condition) => condition.reason === "ScaleDownHeld");
    },
    { timeoutMs: DONE_MS, signal: context.signal },
  );
  await pause(HELD_MS, context.signal);
  const { spec } = await chat.object();
  context.say(
    `replicas ${large} left out, so ${spec.replicas}: ${held.type}=${held.status} ${held.reason}: ${held.message}`,
  );
  checks.equal("pods while it is held", await readyUids(chat), before);
  const reasons = (await chat.events()).filter((event) => event.reason === "ScaleDownHeld").length;
  checks.holds("an event says it", reasons > 0, reasons);
  checks.holds("the message says what is needed", /need more than/.test(held.message), held.message);
  await scale(chat, enough);
  await settled(context, chat, enough);
  await chat.patch({ config: { connections: null } });
}

function withoutReplicas(manifest: ChatManifest): ChatManifest {
  const { replicas: _replicas, ...spec } = manifest.spec;
  return { ...manifest, spec: spec as ChatManifest["spec"] };
}

async function scale(chat: Chat, replicas: number): Promise<void> {
  await chat.kubectl(["scale", `wsc/${chat.name}`, `--replicas=${replicas}`]);
}

/** Waits until there are so many server pods and all are Ready; gives their uids. */
async function settled(
  context: ScenarioContext,
  chat: Chat,
  replicas: number,
  image?: string,
): Promise<readonly string[]> {
  let seen = "";
  return waitFor(
    `${replicas} server pods`,
    async () => {
      const pods = await chat.pods("server");
      const { status } = await chat.object();
      const progressing = status?.conditions?.find((condition) => condition.type === "Progressing");
      seen = `${pods.map((pod) => `${pod.metadata.name} ${isReady(pod)}`).join(", ")}; ${progressing?.message ?? ""}`;
      const isDone =
        pods.length === replicas &&
        pods.every((pod) => isReady(pod) && (image === undefined || imageOf(pod) === image)) &&
        progressing?.status === "False";
      return isDone ? pods.map((pod) => pod.metadata.uid).toSorted() : undefined;
    },
    { timeoutMs: DONE_MS, everyMs: 1_000, seen: () => seen, signal: context.signal },
  );
}

async function readyUids(chat: Chat): Promise<readonly string[]> {
  const pods = (await chat.pods("server")).filter(isReady);
  if (pods.length === 0) throw new Violation("no server pod is ready");
  return pods.map((pod) => pod.metadata.uid).toSorted();
}
