// A rollout in steps under load: it waits for approval, moves a part, is watched, and is aborted at 40 %; then once more, to the end.
import type { RolloutStatus } from "@wscluster/crds";
import type { Chat } from "../product/chat.ts";
import { waitFor } from "../product/wait.ts";
import { Checks, type Scenario, type ScenarioContext } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad, ROLLOUT_TIMEOUT_MS } from "./stage.ts";

const CLIENTS = 200;
const STEPS = [
  { newConnectionsPercent: 10, movePercent: 10, pauseSeconds: 3 },
  { newConnectionsPercent: 50, movePercent: 40, pauseSeconds: 10 },
];
/** Who comes to the old set while a step runs makes its part a little larger. */
const TOLERANCE_PERCENT = 3;

export const rolloutSteps: Scenario = {
  name: "rollout-steps",
  shows: `a rollout in steps waits for approval, moves its parts of ${CLIENTS} live clients, is aborted at 40 % and done again: nobody notices`,
  timeoutSeconds: 300,
  async run(context) {
    const chat = await openChat(context, { maxPerSecond: 50, retainSeconds: 5 });
    await chat.patch({ rollout: { promotion: "Manual", previewReplicas: 1, steps: STEPS } });
    const load = await openLoad(context, chat, { clients: CLIENTS });
    await breathe(context);
    const checks = new Checks();
    const green = context.images["server:v2"];
    const blue = context.images["server:v1"];

    await chat.setImage(green);
    const asked = await rolloutIs(context, chat, "wait for approval", (now) => isWaiting(now, "AwaitingApproval"));
    context.say(`${asked.waiting?.message}; ${asked.waiting?.unblock}`);
    checks.equal("pods before the approval", await podsOf(chat, green), 1);
    checks.equal("addresses of the preview Service", (await chat.endpoints(`${chat.name}-preview`)).length, 1);
    checks.equal("clients moved before the approval", load.stats?.moved, 0);
    checks.holds(
      "the command that ends the wait is told",
      asked.waiting?.unblock?.includes(`"approvedAttempt":"${asked.attempt}"`) === true,
      asked.waiting,
    );

    await chat.patch({ rollout: { approvedAttempt: asked.attempt } });
    await rolloutIs(context, chat, "pause in step 1", (now) => now.step === 1 && isWaiting(now, "StepPause"));
    const paused = await rolloutIs(
      context,
      chat,
      "pause in step 2",
      (now) => now.step === 2 && isWaiting(now, "StepPause"),
    );
    context.say(`step 2 of 2: ${paused.percentMoved} % moved, ${paused.connectionsLeft} left`);
    checks.holds(
      `40 % have moved, and no more than ${TOLERANCE_PERCENT} % beyond`,
      paused.percentMoved >= 39 && paused.percentMoved <= 40 + TOLERANCE_PERCENT,
      paused.percentMoved,
    );
    await chat.patch({ rollout: { abortedAttempt: paused.attempt } });
    await rolloutIs(context, chat, "be aborted", (now) => now.phase === "aborted" && now.connectionsLeft === 0);
    await chat.settled(blue, 3, ROLLOUT_TIMEOUT_MS);
    await breathe(context);

    // The same revision again: wanting something else in between clears the abort.
    await chat.setImage(blue);
    await chat.ready();
    await chat.setImage(green);
    const again = await rolloutIs(
      context,
      chat,
      "wait for approval again",
      (now) => now.attempt !== paused.attempt && isWaiting(now, "AwaitingApproval"),
    );
    await chat.patch({ rollout: { approvedAttempt: again.attempt } });
    await chat.switched(green, ROLLOUT_TIMEOUT_MS);
    await chat.settled(green, 3, ROLLOUT_TIMEOUT_MS);
    await breathe(context);
    const summary = await load.finish();
    context.say(figures(summary));
    checkNobodyNoticed(checks, summary);
    checks.equal("clients that moved", summary.movedClients, CLIENTS);
    checks.settle();
  },
};

const isWaiting = (now: RolloutStatus, reason: string): boolean => now.waiting?.reason === reason;

async function podsOf(chat: Chat, image: string): Promise<number> {
  const { status } = await chat.object();
  return status?.sets?.find((set) => set.image === image)?.replicas ?? 0;
}

function rolloutIs(
  context: ScenarioContext,
  chat: Chat,
  what: string,
  isReached: (now: RolloutStatus) => boolean,
): Promise<RolloutStatus> {
  let seen: unknown;
  return waitFor(
    `the rollout to ${what}`,
    async () => {
      const { status } = await chat.object();
      seen = status?.rollout;
      return status?.rollout !== undefined && isReached(status.rollout) ? status.rollout : undefined;
    },
    { timeoutMs: ROLLOUT_TIMEOUT_MS, everyMs: 500, signal: context.signal, seen: () => JSON.stringify(seen) },
  );
}
