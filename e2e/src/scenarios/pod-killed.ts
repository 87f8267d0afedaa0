// One old pod dies in mid-move: its clients come back by resume and miss nothing.
import { imageOf } from "../product/chat.ts";
import { Checks, type Scenario } from "./scenario.ts";
import {
  breathe,
  checkNothingLost,
  figures,
  fullestServer,
  openChat,
  openLoad,
  ROLLOUT_TIMEOUT_MS,
  untilLoad,
} from "./stage.ts";

const CLIENTS = 300;
const PER_SECOND = 25;
const FAULT_SECONDS = 15;

export const podKilled: Scenario = {
  name: "pod-killed",
  shows: "with an old pod killed (-9) in mid-move its clients resume elsewhere and nothing is lost",
  timeoutSeconds: 300,
  async run(context) {
    const chat = await openChat(context, { maxPerSecond: PER_SECOND });
    const load = await openLoad(context, chat, { clients: CLIENTS });
    await breathe(context);
    const green = context.images["server:v2"];
    await chat.setImage(green);
    await untilLoad(context, load, "a fifth to have moved", (now) => now.moved >= CLIENTS * 0.2);
    const { pod, held } = await fullestServer(chat, load, (one) => imageOf(one) !== green);
    load.fault(true);
    await context.access.driver.signalContainer(context.namespace, pod.metadata.name, "server", "SIGKILL");
    await breathe(context, FAULT_SECONDS);
    load.fault(false);
    await load.joinWitnesses();
    await chat.switched(green, ROLLOUT_TIMEOUT_MS);
    await chat.settled(green, 3, ROLLOUT_TIMEOUT_MS);
    await breathe(context);
    const summary = await load.finish();
    context.say(`${held} clients were on the killed pod; ${figures(summary)}`);
    const checks = new Checks();
    checkNothingLost(checks, summary);
    checks.holds("they came back by resume", summary.resumes > 0, summary.resumes);
    checks.equal("new sessions after a break", summary.resets, 0);
    checks.holds("no more cuts than the pod held clients", summary.cut <= held, { cut: summary.cut, held });
    checks.settle();
  },
};
