// One fleet, one user who changes his mind: a third revision in mid-move, back to the retained one, an attempt aborted at 40 %.
import { imageOf, type Chat } from "../product/chat.ts";
import { isReady } from "../product/objects.ts";
import { waitFor } from "../product/wait.ts";
import type { Load } from "../load/load.ts";
import { Checks, Violation, type Scenario, type ScenarioContext } from "./scenario.ts";
import {
  breathe,
  checkNobodyNoticed,
  figures,
  largeLoad,
  openChat,
  openLoad,
  ROLLOUT_TIMEOUT_MS,
  untilLoad,
} from "./stage.ts";

const CLIENTS = { quick: 200, full: 1_000 } as const;
const PER_SECOND = { quick: 25, full: 100 } as const;
const SERVERS = 2;
/** The way back must still be warm when it is taken. */
const RETAIN_SECONDS = 60;
/** From a change of mind until all clients are where they are to be. */
const DONE_SECONDS = 120;

type Stage = {
  readonly context: ScenarioContext;
  readonly chat: Chat;
  readonly load: Load;
  readonly checks: Checks;
  readonly clients: number;
};

export const changedMinds: Scenario = {
  name: "changed-minds",
  shows: "a third revision in mid-move, back to the retained one, and an abort at 40 %: nobody is cut and nothing lost",
  timeoutSeconds: 600,
  company: "alone",
  async run(context) {
    const size = context.quick ? "quick" : "full";
    const clients = CLIENTS[size];
    const chat = await openChat(context, {
      replicas: SERVERS,
      maxPerSecond: PER_SECOND[size],
      retainSeconds: RETAIN_SECONDS,
    });
    const load = await openLoad(context, chat, {
      clients,
      ...largeLoad(context.quick),
    });
    const stage: Stage = { context, chat, load, checks: new Checks(), clients };
    await breathe(context);
    const blue = await uidsOf(chat, context.images["server:v1"]);
    await thirdInMidMove(stage);
    await backToRetained(stage, blue);
    await abortInMidMove(stage, blue);
    await load.joinWitnesses();
    await breathe(context);
    const summary = await load.finish();
    context.say(figures(summary));
    checkNobodyNoticed(stage.checks, summary);
    stage.checks.settle();
  },
};

/** A -> B -> C: B is overtaken with 30 % moved; everybody ends on C, and stable A was the way back all the time. */
async function thirdInMidMove({ context, chat, load, checks, clients }: Stage): Promise<void> {
  const green = context.images["server:v2"];
  await chat.setImage(green);
  await untilLoad(context, load, "a third to have moved", (stats) => stats.moved >= clients * 0.3);
  const known = ((await chat.object()).status?.sets ?? []).map((set) => set.revision);
  const begin = performance.now();
  await chat.patch({ server: { env: [{ name: "RELEASE", value: "third" }] } });
  await waitFor(
    "the third revision to be stable",
    async () => {
      const { status } = await chat.object();
      return status?.sets?.find((set) => set.role === "stable" && !known.includes(set.revision));
    },
    { timeoutMs: DONE_SECONDS * 1_000, everyMs: 1_000, signal: context.signal },
  );
  const seconds = Math.round((performance.now() - begin) / 1_000);
  const moves = load.stats?.moved ?? 0;
  context.say(`A -> B -> C: all on C ${seconds} s after the second change, ${moves} moves of ${clients} clients`);
  checks.holds("nobody moved more than twice", moves <= clients * 2, moves);
  const reasons = (await chat.events()).map((event) => event.reason);
  checks.holds("an event says that B was overtaken", reasons.includes("RolloutSuperseded"), reasons);
}

/** Back to A, whose pods were kept warm: the same pods take over again, without a new one. */
async function backToRetained({ context, chat, load }: Stage, blue: readonly string[]): Promise<void> {
  const moved = load.stats?.moved ?? 0;
  const begin = performance.now();
  await chat.patch({ server: { image: context.images["server:v1"], env: null } });
  const stable = await chat.switched(context.images["server:v1"], ROLLOUT_TIMEOUT_MS);
  const seconds = Math.round((performance.now() - begin) / 1_000);
  const uids = await uidsOf(chat, context.images["server:v1"]);
  if (uids.join() !== blue.join()) throw new Violation(`the retained pods were ${blue.join()}, ${uids.join()} serve`);
  context.say(`back to the retained ${stable.color} set: ${seconds} s, ${(load.stats?.moved ?? 0) - moved} moves`);
}

/** The attempt is named in `abortedAttempt` with 40 % moved: they go back, the resource says so, and a stale name does nothing. */
async function abortInMidMove({ context, chat, load, checks, clients }: Stage, blue: readonly string[]): Promise<void> {
  const before = load.stats?.moved ?? 0;
  await chat.patch({ server: { image: context.images["server:v2"] } });
  await untilLoad(context, load, "40 % to have moved", (stats) => stats.moved - before >= clients * 0.4);
  const attempt = (await chat.object()).status?.rollout?.attempt ?? "";
  await chat.patch({ rollout: { abortedAttempt: `${attempt}9` } });
  await chat.patch({ rollout: { abortedAttempt: attempt } });
  const begin = performance.now();
  let seen = "";
  await waitFor(
    "the aborted set to be empty and at zero",
    async () => {
      const { status } = await chat.object();
      seen = status?.conditions?.find((one) => one.type === "Progressing")?.message ?? "";
      const aborted = status?.sets?.find((set) => attempt.startsWith(`${set.revision}/`));
      return aborted === undefined || aborted.replicas === 0 || undefined;
    },
    { timeoutMs: DONE_SECONDS * 1_000, everyMs: 1_000, seen: () => seen, signal: context.signal },
  );
  const seconds = Math.round((performance.now() - begin) / 1_000);
  const { status } = await chat.object();
  const progressing = status?.conditions?.find((condition) => condition.type === "Progressing");
  context.say(
    `abort at 40 %: back within ${seconds} s; Progressing=${progressing?.status} ${progressing?.reason}: ${progressing?.message}`,
  );
  checks.equal("the reason of Progressing", progressing?.reason, "RolloutAborted");
  checks.equal("phase", status?.rollout?.phase, "aborted");
  checks.equal("the same stable pods", await uidsOf(chat, context.images["server:v1"]), blue);
  const reasons = (await chat.events()).map((event) => event.reason);
  checks.holds("an event says that it was aborted", reasons.includes("RolloutAborted"), reasons);
}

async function uidsOf(chat: Chat, image: string): Promise<readonly string[]> {
  const pods = (await chat.pods("server")).filter((pod) => imageOf(pod) === image && isReady(pod));
  return pods.map((pod) => pod.metadata.uid).toSorted();
}
