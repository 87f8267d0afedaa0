// The demo's story, step by step. Whatever it started it takes down again, also when interrupted. Not here: command line, drawing.
import { stringify } from "yaml";
import { accessCluster, type ClusterAccess } from "../cluster/access.ts";
import { openCluster } from "../cluster/open.ts";
import { startLoad, type Load } from "../load/load.ts";
import { LOAD_DEFAULTS } from "../load/messages.ts";
import { Chat } from "../product/chat.ts";
import { CHAT, chatCluster } from "../product/chat-cluster.ts";
import { buildImages, createNamespace, deleteNamespace, installChart, REDIS_URL } from "../product/install.ts";
import { pause } from "../product/wait.ts";
import { formatDuration } from "../terminal/duration.ts";
import { createProgress, type Progress } from "../terminal/progress.ts";
import { nextSteps } from "./next-steps.ts";
import { reportFor, reportText, type DemoReport } from "./report.ts";
import { watchRollout } from "./rollout-watch.ts";
import { Screen } from "./screen.ts";

const NAMESPACE = "wsc-demo";
const ROOMS = 50;
const PODS = 3;
/** Slow enough to watch: 500 clients move in ten seconds. */
const MOVES_PER_SECOND = 50;
const QUIET_MS = 6_000;
const OPERATOR_PODS = 2;

export type DemoOptions = { readonly keep: boolean; readonly clients: number; readonly signal: AbortSignal };

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const headline = (text: string): void => say(`\n== ${text}`);

/** Runs the demo and returns its report; throws when it could not be run to its end. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const begin = performance.now();
  // On standard output too: the story is read in one order, also from a file.
  const progress = createProgress(process.stdout);
  const driver = await openCluster();
  headline(`A Kubernetes cluster (${driver.name}: ${driver.reason})`);
  const wasUp = (await driver.status()).state === "up";
  const access = accessCluster(driver);
  try {
    await driver.up(progress, options.signal);
    return await onCluster(access, progress, options, begin);
  } finally {
    if (options.keep && !options.signal.aborted) say(nextSteps(access, NAMESPACE, CHAT));
    else if (wasUp) {
      say("\nRemoving the demo's namespace; the cluster was up before and stays.");
      await deleteNamespace(access, NAMESPACE);
    } else {
      say("\nTaking the cluster down. `npm run demo -- --keep` leaves it running; builds stay cached.");
      await driver.down(progress);
    }
  }
}

async function onCluster(
  access: ClusterAccess,
  progress: Progress,
  options: DemoOptions,
  begin: number,
): Promise<DemoReport> {
  const { signal } = options;
  headline("The product: images and chart");
  const images = await buildImages(access, progress, signal);
  progress.begin(1);
  await progress.step("helm install wscluster", "installing", async (step) => {
    await installChart(access, { images, replicas: OPERATOR_PODS, signal });
    step.done("operator and trial Redis are ready");
  });

  headline(`A WebSocketCluster with ${PODS} pods`);
  const manifest = chatCluster({
    namespace: NAMESPACE,
    image: images["server:v1"],
    redisUrl: REDIS_URL,
    replicas: PODS,
    maxPerSecond: MOVES_PER_SECOND,
  });
  say(`$ kubectl apply -f -\n${indented(stringify(manifest))}`);
  await deleteNamespace(access, NAMESPACE);
  await createNamespace(access, NAMESPACE);
  const chat = new Chat(access, NAMESPACE, CHAT, signal);
  await chat.apply(manifest);
  progress.begin(2);
  await progress.step("servers and edge", "starting", async (step) => {
    await chat.ready((seen) => step.doing(seen));
    step.done("Ready");
  });

  const way = await chat.clientUrl();
  let load: Load | undefined;
  try {
    load = await progress.step(`${options.clients} SDK clients in ${ROOMS} rooms`, "connecting", async (step) => {
      let firstAt: number | undefined;
      const started = await startLoad(
        { ...LOAD_DEFAULTS, url: way.url, clients: options.clients, rooms: ROOMS },
        {
          connecting: (connected, of) => {
            firstAt ??= performance.now();
            step.doing(`${connected} of ${of} connected`);
          },
        },
      );
      step.done(`connected; the first one ${formatDuration((firstAt ?? performance.now()) - begin)} after the start`);
      return started;
    });
    return await rollOut(access, chat, load, images["server:v1"], images["server:v2"], signal);
  } finally {
    load?.abandon();
    await way.close();
  }
}

async function rollOut(
  access: ClusterAccess,
  chat: Chat,
  load: Load,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<DemoReport> {
  await pause(QUIET_MS, signal);
  const quiet = load.stats;
  say(
    `They talk: ${quiet?.published ?? 0} published, ${quiet?.delivered ?? 0} delivered, ${quiet?.faults ?? 0} faults.`,
  );

  headline("A new image: every live connection moves from the old pods to the new ones");
  say(`$ kubectl patch wsc ${chat.name} --type=merge -p '{"spec":{"server":{"image":"${to}"}}}'`);
  const changedAt = performance.timeOrigin + performance.now();
  await chat.setImage(to);
  const screen = new Screen(process.stdout, () => performance.now());
  const { isComplete } = await watchRollout(chat, load, to, screen, signal);
  await pause(QUIET_MS / 2, signal);
  say("Everybody is asked what it received ...");
  const summary = await load.finish();
  const lastMoveAt = summary.committedAtMs.at(-1) ?? changedAt;
  const report = reportFor({
    provider: access.driver.name,
    kubernetes: await kubernetesVersion(access),
    from,
    to,
    seconds: (lastMoveAt - changedAt) / 1_000,
    isComplete,
    summary,
  });
  headline(reportText(report, summary));
  headline(`$ kubectl describe wsc ${chat.name}`);
  say(await chat.describe());
  return report;
}

async function kubernetesVersion(access: ClusterAccess): Promise<string> {
  const text = await access.kubectl(["version", "--output=json"]);
  const { serverVersion } = JSON.parse(text) as { readonly serverVersion?: { readonly gitVersion?: string } };
  return serverVersion?.gitVersion ?? "unknown";
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
