// A new operator image, which is a new image of the edge's agent as well, and a new CRD that writes down defaults: nothing of the
// fleet restarts, neither servers nor edge.
import { installChart, OPERATOR_SELECTOR, systemPodsReady } from "../product/install.ts";
import type { Chat } from "../product/chat.ts";
import { restartsOf } from "../product/objects.ts";
import { makeNextChart } from "../product/next-chart.ts";
import { Checks, type Scenario } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad } from "./stage.ts";

const OBSERVE_SECONDS = 15;

export const operatorUpgraded: Scenario = {
  name: "operator-upgraded",
  shows:
    "an operator upgrade at rest, with new defaults in the CRD and a new agent image, restarts no server and no edge pod, and no client notices",
  timeoutSeconds: 240,
  company: "alone",
  async run(context) {
    const { access, images, signal } = context;
    const chat = await openChat(context);
    const load = await openLoad(context, chat, { clients: 60, rooms: 10 });
    const fleet = async () =>
      [...(await chat.pods("server")), ...(await chat.pods("edge"))]
        .map((pod) => ({ name: pod.metadata.name, uid: pod.metadata.uid, restarts: restartsOf(pod) }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const before = await fleet();
    context.defer(() => installChart(access, { images, replicas: 1 }));
    const nextChart = await makeNextChart();
    context.defer(() => nextChart.remove());
    const next = { ...images, operator: images["operator:v2"] };
    await installChart(access, { images: next, replicas: 1, chart: nextChart.folder, signal });
    await systemPodsReady(access, OPERATOR_SELECTOR, 1, images["operator:v2"], signal);
    const { path, terminationGracePeriodSeconds } = (await chat.object()).spec.server;
    await breathe(context, OBSERVE_SECONDS);
    const checks = new Checks();
    checks.equal("the new defaults as they are read", [path, terminationGracePeriodSeconds], ["/ws", 300]);
    checks.equal("server and edge pods, with restarts", await fleet(), before);
    checks.equal("an image of the former agent", await agentImages(chat), [images.operator]);
    // The new one is at work: it must follow a change.
    await chat.patch({ moves: { maxPerSecond: 123 } });
    await chat.ready();
    const summary = await load.finish();
    context.say(figures(summary));
    checkNobodyNoticed(checks, summary);
    checks.equal("moves", summary.moves, 0);
    checks.settle();
  },
};

async function agentImages(chat: Chat): Promise<readonly string[]> {
  const images = (await chat.pods("edge")).flatMap((pod) => pod.spec.containers.map((container) => container.image));
  return [...new Set(images)].filter((image) => image.includes("/operator:"));
}
