// A new operator image at rest restarts nothing of the fleet: neither servers nor edge.
import { installChart, OPERATOR_SELECTOR, systemPodsReady } from "../product/install.ts";
import { restartsOf } from "../product/objects.ts";
import { Checks, type Scenario } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad } from "./stage.ts";

const OBSERVE_SECONDS = 15;

export const operatorUpgraded: Scenario = {
  name: "operator-upgraded",
  shows: "an operator upgrade at rest restarts no server and no edge pod, and no client notices",
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
    await installChart(access, { images: { ...images, operator: images["operator:v2"] }, replicas: 1, signal });
    await systemPodsReady(access, OPERATOR_SELECTOR, 1, images["operator:v2"], signal);
    await breathe(context, OBSERVE_SECONDS);
    const checks = new Checks();
    checks.equal("server and edge pods, with restarts", await fleet(), before);
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
