// Status is a report: without it in mid-rollout nothing changes but the report, which comes back.
import { Checks, type Scenario } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad, ROLLOUT_TIMEOUT_MS, untilLoad } from "./stage.ts";

const CLIENTS = 200;
const PER_SECOND = 25;

export const statusWiped: Scenario = {
  name: "status-wiped",
  shows: "wiping the status in mid-rollout changes nothing: the rollout goes on and the report is rebuilt",
  timeoutSeconds: 240,
  async run(context) {
    const chat = await openChat(context, { maxPerSecond: PER_SECOND });
    const load = await openLoad(context, chat, { clients: CLIENTS, rooms: 20 });
    await breathe(context, 2);
    const green = context.images["server:v2"];
    await chat.setImage(green);
    await untilLoad(context, load, "a third to have moved", (stats) => stats.moved >= CLIENTS * 0.3);
    await chat.kubectl(["patch", "wsc", chat.name, "--subresource=status", "--type=merge", '--patch={"status":null}']);
    const moved = load.stats?.moved ?? 0;
    await load.joinWitnesses();
    await chat.switched(green, ROLLOUT_TIMEOUT_MS);
    await chat.settled(green, 3, ROLLOUT_TIMEOUT_MS);
    await breathe(context, 2);
    const { status } = await chat.object();
    const summary = await load.finish();
    context.say(`${moved} had moved; ${figures(summary)}`);
    const checks = new Checks();
    checkNobodyNoticed(checks, summary);
    checks.holds("wiped with 20-80 % moved", moved >= CLIENTS * 0.2 && moved <= CLIENTS * 0.8, moved);
    checks.equal("clients that moved", summary.movedClients, CLIENTS);
    checks.equal("moved, as reported afterwards", status?.rollout?.moved, CLIENTS);
    checks.settle();
  },
};
