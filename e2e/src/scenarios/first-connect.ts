// Apply a resource, connect, talk.
import { Checks, type Scenario } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad } from "./stage.ts";

export const firstConnect: Scenario = {
  name: "first-connect",
  shows: "after one `kubectl apply` clients connect through the edge and receive what others publish",
  timeoutSeconds: 180,
  async run(context) {
    const chat = await openChat(context);
    const load = await openLoad(context, chat, { clients: 30, rooms: 6, messagesPerSecond: 1 });
    await breathe(context);
    const { status } = await chat.object();
    const summary = await load.finish();
    context.say(figures(summary));
    const checks = new Checks();
    checkNobodyNoticed(checks, summary);
    checks.equal("moves at rest", summary.moves, 0);
    checks.equal("ready", status?.ready, "3/3");
    checks.holds("deliveries", summary.verdict.delivered > 100, summary.verdict.delivered);
    checks.settle();
  },
};
