// An image that cannot be pulled: the old set is untouched, also by an eviction, and the resource says why.
import { imageOf } from "../product/chat.ts";
import { evict } from "../product/nodes.ts";
import { isReady } from "../product/objects.ts";
import { waitFor } from "../product/wait.ts";
import { Checks, type Scenario, Violation } from "./scenario.ts";
import { breathe, checkNothingLost, figures, openChat, openLoad } from "./stage.ts";

const CLIENTS = 60;
const TIMEOUT_MS = 90_000;

export const badImage: Scenario = {
  name: "bad-image",
  shows:
    "an image that cannot start touches no running pod and no endpoint, evictions still work, condition and event say why",
  timeoutSeconds: 300,
  async run(context) {
    const chat = await openChat(context);
    const load = await openLoad(context, chat, { clients: CLIENTS, rooms: 10, messagesPerSecond: 1 });
    const blue = context.images["server:v1"];
    const bluePods = async () => (await chat.pods("server")).filter((pod) => imageOf(pod) === blue && isReady(pod));
    const uids = (await bluePods()).map((pod) => pod.metadata.uid).toSorted();
    const endpoints = await chat.endpoints(chat.name);
    const bad = blue.replace(/:[^:]+$/, ":no-such-tag");
    await chat.setImage(bad);
    const condition = await waitFor(
      "a condition that says why",
      async () => {
        const { status } = await chat.object();
        return status?.conditions?.find(
          (one) => one.reason === "CandidateNotStarting" && /image|pull/i.test(one.message),
        );
      },
      { timeoutMs: TIMEOUT_MS, signal: context.signal },
    );
    context.say(`${condition.type}=${condition.status} ${condition.reason}: ${condition.message}`);
    await breathe(context);
    const checks = new Checks();
    checks.equal("uids of the old set", (await bluePods()).map((pod) => pod.metadata.uid).toSorted(), uids);
    checks.equal("endpoints", await chat.endpoints(chat.name), endpoints);
    checks.holds(
      "an event says why",
      (await chat.events()).some((event) => event.reason === "CandidateNotStarting" && event.type === "Warning"),
      (await chat.events()).map((event) => event.reason),
    );
    const evicted = (await bluePods())[0]?.metadata.name;
    if (evicted === undefined) throw new Violation("no pod of the old set is ready");
    await evict(chat, evicted);
    await waitFor(
      `${evicted} to go and a replacement to be Ready`,
      async () => {
        const ready = await bluePods();
        const all = await chat.pods("server");
        const isGone = all.every((pod) => pod.metadata.name !== evicted);
        return (isGone && ready.length === uids.length) || undefined;
      },
      { timeoutMs: TIMEOUT_MS, signal: context.signal },
    );
    await chat.setImage(blue);
    await chat.ready();
    await breathe(context);
    const summary = await load.finish();
    context.say(figures(summary));
    checkNothingLost(checks, summary);
    checks.equal("sockets cut", summary.cut, 0);
    checks.settle();
  },
};
