// Two pods come to two that are full: proposed and approved by a user, or done without asking, and nobody notices either way.
import type { WebSocketRebalanceStatus } from "@wscluster/crds";
import { waitFor } from "../product/wait.ts";
import { Checks, type Scenario, type ScenarioContext } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad } from "./stage.ts";

const FOUND_TIMEOUT_MS = 240_000;
const MOVED_TIMEOUT_MS = 120_000;
const MOST_IMBALANCE_PERCENT = 10;
const MOST_ERROR_POINTS = 5;

type RebalanceObject = { readonly metadata: { readonly name: string }; readonly status?: WebSocketRebalanceStatus };

/** Connections alone are weighed: the CPU of a machine that runs everything at once says little about a pod. */
const specFor = (mode: string) => ({
  rebalance: {
    mode,
    minPodAgeSeconds: 0,
    cooldownSeconds: 30,
    maxMovePercent: 60,
    weights: { connections: 100, cpu: 0, memory: 0, messageRate: 0, responseTime: 0 },
  },
});

async function begin(context: ScenarioContext, mode: string) {
  const chat = await openChat(context, { replicas: 2, maxPerSecond: 50 });
  const load = await openLoad(context, chat, { clients: context.quick ? 200 : 2_000 });
  await chat.patch({ ...specFor(mode), replicas: 4 });
  const balanced = async () => (await chat.object()).status?.conditions?.find(({ type }) => type === "Balanced");
  const until = (reason: string, timeoutMs: number) => {
    let seen = "nothing";
    return waitFor(
      `Balanced to be ${reason}`,
      async () => {
        const condition = await balanced();
        seen = `${condition?.reason}: ${condition?.message}`;
        return condition?.reason === reason ? condition : undefined;
      },
      { timeoutMs, everyMs: 1_000, seen: () => seen, signal: context.signal },
    );
  };
  const imbalancePercent = async () => (await chat.object()).status?.load?.imbalancePercent;
  return { chat, load, until, imbalancePercent };
}

export const rebalance: Scenario = {
  name: "rebalance",
  shows: "uneven load is found, proposed with its cost, and after an approval evened out as predicted: nothing lost",
  timeoutSeconds: 600,
  async run(context) {
    const { chat, load, until } = await begin(context, "Propose");
    const condition = await until("RebalanceProposed", FOUND_TIMEOUT_MS);
    context.say(condition.message);
    const wsr = async () =>
      (JSON.parse(await chat.kubectl(["get", "wsr", "--output=json"])) as { items: RebalanceObject[] }).items;
    const [proposal] = await wsr();
    const name = proposal?.metadata.name ?? "";
    await breathe(context);
    const checks = new Checks();
    checks.equal("moves before the approval", load.stats?.moved, 0);
    await chat.kubectl(["patch", "wsr", name, "--type=merge", '--patch={"spec":{"approved":true}}']);
    let seen: WebSocketRebalanceStatus | undefined;
    await waitFor(
      "the rebalance to be completed and measured",
      async () => {
        seen = (await wsr()).find((one) => one.metadata.name === name)?.status;
        return (seen?.phase === "Completed" && seen.after !== undefined) || undefined;
      },
      {
        timeoutMs: MOVED_TIMEOUT_MS + 90_000,
        everyMs: 2_000,
        seen: () => JSON.stringify(seen?.conditions),
        signal: context.signal,
      },
    );
    const after = seen?.after?.imbalancePercent ?? Infinity;
    const predicted = seen?.predicted?.imbalancePercent ?? Infinity;
    const summary = await load.finish();
    const moved = seen?.receipts?.moved;
    context.say(
      `${seen?.before?.imbalancePercent} % before, ${predicted} % predicted, ${after} % after, ${moved} of ${seen?.reconnects} moved; ${figures(summary)}`,
    );
    checkNobodyNoticed(checks, summary);
    checks.holds(`imbalance < ${MOST_IMBALANCE_PERCENT} % afterwards`, after < MOST_IMBALANCE_PERCENT, after);
    checks.holds(`prediction within ${MOST_ERROR_POINTS} points`, Math.abs(after - predicted) <= MOST_ERROR_POINTS, {
      predicted,
      after,
    });
    checks.settle();
  },
};

export const rebalanceAutomatic: Scenario = {
  name: "rebalance-automatic",
  shows: "with mode Automatic new pods are filled without anybody asking, and without an object: nothing lost",
  timeoutSeconds: 600,
  async run(context) {
    const { chat, load, until, imbalancePercent } = await begin(context, "Automatic");
    await until("Rebalancing", FOUND_TIMEOUT_MS);
    const condition = await until("Even", MOVED_TIMEOUT_MS + 90_000);
    const after = (await imbalancePercent()) ?? Infinity;
    const objects = (await chat.kubectl(["get", "wsr", "--output=name"])).trim();
    const summary = await load.finish();
    context.say(`${condition.message}; ${after} % after; ${figures(summary)}`);
    const checks = new Checks();
    checkNobodyNoticed(checks, summary);
    checks.equal("objects", objects, "");
    checks.holds("connections moved", summary.moves > 0, summary.moves);
    checks.holds(`imbalance < ${MOST_IMBALANCE_PERCENT} % afterwards`, after < MOST_IMBALANCE_PERCENT, after);
    checks.settle();
  },
};
