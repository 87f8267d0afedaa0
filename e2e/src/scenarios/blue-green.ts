// The main promise: 500 clients under traffic, the image changes, nobody notices.
import { paceErrorPercent } from "../load/pace.ts";
import { Checks, type Scenario } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad, ROLLOUT_TIMEOUT_MS, untilLoad } from "./stage.ts";

const CLIENTS = 500;
const PER_SECOND = 50;
const MAX_PACE_ERROR_PERCENT = 5;
/** Without a fault a client always has a live socket: made before the other one breaks. */
const MAX_P99_DARK_MS = 50;

export const blueGreen: Scenario = {
  name: "blue-green",
  shows: `a new image takes over ${CLIENTS} live clients: none cut, nothing lost, duplicated or reordered`,
  timeoutSeconds: 300,
  // Its stamps are judged: nothing else may use the machine meanwhile.
  company: "alone",
  async run(context) {
    const chat = await openChat(context, { maxPerSecond: PER_SECOND });
    const load = await openLoad(context, chat, { clients: CLIENTS });
    await breathe(context);
    const green = context.images["server:v2"];
    await chat.setImage(green);
    // From the first move on new connections go to the new set only: these readers never have to move.
    await untilLoad(context, load, "the first move", (stats) => stats.moved > 0);
    await load.joinWitnesses();
    await chat.switched(green, ROLLOUT_TIMEOUT_MS);
    await chat.settled(green, 3, ROLLOUT_TIMEOUT_MS);
    await breathe(context);
    const { status } = await chat.object();
    const summary = await load.finish();
    const paceError = paceErrorPercent(summary.committedAtMs, PER_SECOND);
    context.say(`${figures(summary)}; pace error ${paceError.toFixed(1)} %`);
    const checks = new Checks();
    checkNobodyNoticed(checks, summary);
    checks.holds(
      `p99 of the time without a live socket <= ${MAX_P99_DARK_MS} ms`,
      summary.p99GapMs <= MAX_P99_DARK_MS,
      summary.p99GapMs,
    );
    checks.equal("clients that moved", summary.movedClients, CLIENTS);
    checks.equal("moves", summary.moves, CLIENTS);
    checks.holds("pace kept over any 10 s", paceError <= MAX_PACE_ERROR_PERCENT, paceError);
    const { moved, resumed, cut, unknown } = status?.rollout ?? {};
    checks.equal(
      "the operator's count",
      { moved, resumed, cut, unknown },
      { moved: CLIENTS, resumed: 0, cut: 0, unknown: 0 },
    );
    checks.settle();
  },
};
