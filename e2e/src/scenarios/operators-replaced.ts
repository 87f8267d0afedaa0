// The operator is killed and replaced again and again while two clusters roll; then of two operators the leading one stands still
// past its lease and wakes up. Pace is read from the edges' access logs, over all of it.
import { randomInt } from "node:crypto";
import { namedArrivals } from "../product/access-log.ts";
import type { Chat } from "../product/chat.ts";
import { OPERATOR_SELECTOR, systemPods, systemPodsReady } from "../product/install.ts";
import { isReady } from "../product/objects.ts";
import { leadingPod, replaceOperator, scaleOperator, signalOperator } from "../product/operators.ts";
import { pause, waitFor } from "../product/wait.ts";
import type { Load } from "../load/load.ts";
import { busiestWindow, paceErrorPercent } from "../load/pace.ts";
import { seededRandom } from "../load/seeded-random.ts";
import { auditLogSize, isWrite, readAuditLog } from "./audit-log.ts";
import { Checks, type Scenario, type ScenarioContext } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad, untilLoad } from "./stage.ts";

const NAMES = ["chat", "news"] as const;
const SERVERS = 2;
const CLIENTS = { quick: 120, full: 500 } as const;
const PER_SECOND = { quick: 6, full: 25 } as const;
const KILLS = { quick: 4, full: 10 } as const;
/** From a new leader to its death, at most. */
const LIFE_MS = 3_000;
/** Of the kills, those that leave the lease to run out: 15 s without anybody. */
const BRUTAL_PART = 0.4;
const TAKEOVER_MS = 60_000;
const DONE_MS = 180_000;
const AWAKE_MS = 10_000;
const MAX_PACE_ERROR_PERCENT = 5;

type Fleet = { readonly chat: Chat; readonly load: Load };

export const operatorsReplaced: Scenario = {
  name: "operators-replaced",
  shows:
    "two clusters roll while the operator is killed at random, and while a leader sleeps past its lease: pace kept at the edge, nothing lost",
  timeoutSeconds: 900,
  company: "alone",
  async run(context) {
    const { access } = context;
    const size = context.quick ? "quick" : "full";
    const checks = new Checks();
    context.defer(async () => {
      await scaleOperator(access, 1);
      await systemPodsReady(access, OPERATOR_SELECTOR, 1, context.images.operator);
    });
    const fleets = await Promise.all(
      NAMES.map(async (name, index): Promise<Fleet> => {
        const chat = await openChat(context, { name, replicas: SERVERS, maxPerSecond: PER_SECOND[size] });
        const load = await openLoad(context, chat, {
          clients: CLIENTS[size],
          rooms: context.quick ? 20 : 100,
          seed: index + 1,
          messagesPerSecond: context.quick ? 0.1 : 0.05,
        });
        return { chat, load };
      }),
    );
    await breathe(context);
    const green = context.images["server:v2"];
    await Promise.all(fleets.map(({ chat }) => chat.setImage(green)));
    await killAtRandom(context, KILLS[size]);
    await systemPodsReady(access, OPERATOR_SELECTOR, 1, context.images.operator, context.signal);
    const begin = performance.now();
    await Promise.all(fleets.map(({ chat }) => chat.settled(green, SERVERS, DONE_MS)));
    context.say(`both rollouts done ${Math.round((performance.now() - begin) / 1_000)} s after the last kill`);
    await sleepPastLease(context, fleets, checks, CLIENTS[size]);
    for (const { chat, load } of fleets) {
      await load.joinWitnesses();
      await breathe(context);
      const summary = await load.finish();
      context.say(`${chat.name}: ${figures(summary)}`);
      checkNobodyNoticed(checks, summary);
      checks.equal(`${chat.name}: clients that moved`, summary.movedClients, CLIENTS[size]);
      await checkPace(context, chat, PER_SECOND[size], checks);
    }
    checks.settle();
  },
};

/** Kills by -9, which leaves the lease to run out, and deletions, which hand it over, at moments that the seed decides. */
async function killAtRandom(context: ScenarioContext, kills: number): Promise<void> {
  const { access } = context;
  const seed = randomInt(1_000_000);
  const random = seededRandom(seed);
  context.say(`seed ${seed}`);
  let dead: string | undefined;
  const brutal: boolean[] = [];
  for (let kill = 0; kill < kills; kill += 1) {
    const leader = await newLeader(context, dead);
    await pause(random() * LIFE_MS, context.signal);
    const isBrutal = random() < BRUTAL_PART;
    await replaceOperator(access, leader, isBrutal);
    brutal.push(isBrutal);
    dead = leader;
  }
  context.say(`${kills} operators replaced, ${brutal.filter(Boolean).length} of them by kill -9`);
}

function newLeader(context: ScenarioContext, former: string | undefined): Promise<string> {
  let seen = "";
  return waitFor(
    "a new operator to lead",
    async () => {
      const leader = await leadingPod(context.access);
      seen = leader ?? "nobody";
      return leader === former ? undefined : leader;
    },
    { timeoutMs: TAKEOVER_MS, everyMs: 500, seen: () => seen, signal: context.signal },
  );
}

/** The old leader is stopped in mid-move; the other takes over; the old one wakes up and must do nothing at all. */
async function sleepPastLease(
  context: ScenarioContext,
  fleets: readonly Fleet[],
  checks: Checks,
  clients: number,
): Promise<void> {
  const { access } = context;
  await scaleOperator(access, 2);
  await systemPodsReady(access, OPERATOR_SELECTOR, 2, context.images.operator, context.signal);
  const before = fleets.map(({ load }) => load.stats?.moved ?? 0);
  const blue = context.images["server:v1"];
  await Promise.all(fleets.map(({ chat }) => chat.setImage(blue)));
  await Promise.all(
    fleets.map(({ chat, load }, index) =>
      untilLoad(
        context,
        load,
        `a fifth of ${chat.name} to have moved`,
        ({ moved }) => moved - (before[index] ?? 0) >= clients / 5,
      ),
    ),
  );
  const old = await newLeader(context, undefined);
  await signalOperator(access, old, "SIGSTOP");
  const stoppedAt = performance.now();
  const next = await newLeader(context, old);
  const takeoverSeconds = Math.round((performance.now() - stoppedAt) / 1_000);
  const { auditLog } = access.driver;
  const from = await auditLogSize(auditLog);
  await signalOperator(access, old, "SIGCONT");
  await pause(AWAKE_MS, context.signal);
  const acts = (await readAuditLog(auditLog, from)).filter(
    (entry) => isWrite(entry) && entry.pod === old && !["leases", "events"].includes(entry.resource),
  );
  checks.equal("writes of the operator that woke up", acts, []);
  checks.equal("the leader after that", await leadingPod(access), next);
  const epochs = await Promise.all(fleets.map(({ chat }) => epochOf(chat)));
  const operators = await systemPods(access, OPERATOR_SELECTOR);
  context.say(
    `a sleeping leader: taken over after ${takeoverSeconds} s, epochs ${epochs.join(" and ")}; awake again it wrote ${acts.length} times; ${operators.filter(isReady).length} of ${operators.length} operators ready`,
  );
  await Promise.all(fleets.map(({ chat }) => chat.settled(blue, SERVERS, DONE_MS)));
}

/** The epoch that the new leader took: the pods refuse every lower one. */
async function epochOf(chat: Chat): Promise<string> {
  const text = await chat.kubectl(["get", "wsc", chat.name, "--output=jsonpath={.metadata.annotations}"]);
  return /"wscluster\.io\/operator-epoch":"(\d+)"/.exec(text)?.[1] ?? "?";
}

async function checkPace(context: ScenarioContext, chat: Chat, perSecond: number, checks: Checks): Promise<void> {
  const stamps = await namedArrivals(chat);
  const error = paceErrorPercent(stamps, perSecond);
  context.say(
    `${chat.name}: ${stamps.length} second sockets in the edges' logs, at most ${busiestWindow(stamps)} within 10 s at ${perSecond}/s: ${error.toFixed(1)} % above`,
  );
  checks.holds(`${chat.name}: second sockets in the log`, stamps.length > 0, stamps.length);
  checks.holds(`${chat.name}: pace kept over any 10 s`, error <= MAX_PACE_ERROR_PERCENT, error);
}
