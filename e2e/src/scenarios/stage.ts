// What most scenarios begin with: a chat cluster that is Ready and clients that use it; and what they all demand of a run.
import { Chat, keyOf } from "../product/chat.ts";
import { CHAT, chatCluster, type ChatOptions } from "../product/chat-cluster.ts";
import { REDIS_URL } from "../product/install.ts";
import { isReady, type PodObject } from "../product/objects.ts";
import { pause, waitFor } from "../product/wait.ts";
import { startLoad, type Load } from "../load/load.ts";
import { quantileOf } from "../load/histogram.ts";
import { LOAD_DEFAULTS, type LoadOptions, type LoadStats, type LoadSummary } from "../load/messages.ts";
import { FAULTS } from "../oracle/evidence.ts";
import { Violation, type Checks, type ScenarioContext } from "./scenario.ts";

const MIN_AVAILABILITY_PERCENT = 99.9;
export const ROLLOUT_TIMEOUT_MS = 150_000;
/** From the image change: the new pods start, are verified and take new connections. */
const FIRST_MOVE_TIMEOUT_MS = 60_000;

/** The traffic of a fleet that is large for a small machine: of more clients each one talks less, in smaller rooms. */
export const largeLoad = (quick: boolean): Pick<LoadOptions, "rooms" | "messagesPerSecond"> =>
  quick ? { rooms: 50, messagesPerSecond: 0.2 } : { rooms: 200, messagesPerSecond: 0.05 };

export async function openChat(
  context: ScenarioContext,
  options: Partial<Omit<ChatOptions, "namespace">> = {},
): Promise<Chat> {
  const chat = new Chat(context.access, context.namespace, options.name ?? CHAT, context.signal);
  const { namespace, images } = context;
  await chat.apply(chatCluster({ image: images["server:v1"], redisUrl: REDIS_URL, ...options, namespace }));
  await chat.ready();
  return chat;
}

export async function openLoad(
  context: ScenarioContext,
  chat: Chat,
  options: Partial<Omit<LoadOptions, "url">> = {},
): Promise<Load> {
  const way = await chat.clientUrl();
  context.defer(() => way.close());
  const load = await startLoad({ ...LOAD_DEFAULTS, ...options, url: way.url });
  context.defer(() => load.abandon());
  return load;
}

/** Waits until a figure of the load has come to pass. */
export function untilLoad(
  context: ScenarioContext,
  load: Load,
  what: string,
  isReached: (stats: LoadStats) => boolean,
  timeoutMs = FIRST_MOVE_TIMEOUT_MS,
): Promise<LoadStats> {
  return waitFor(what, async () => (load.stats && isReached(load.stats) ? load.stats : undefined), {
    timeoutMs,
    everyMs: 100,
    signal: context.signal,
    seen: () => `moved ${load.stats?.moved} of ${load.stats?.clients}, connected ${load.stats?.connected}`,
  });
}

/** A pod to harm and the sockets that it holds: a fresh pod holds none, and harm to it would show nothing. */
export type Victim = { readonly pod: PodObject; readonly held: number };

/** Of the ready server pods that qualify, the one with the most sockets. */
export async function fullestServer(
  chat: Chat,
  load: Load,
  isEligible: (pod: PodObject) => boolean = () => true,
): Promise<Victim> {
  const held = (pod: PodObject) => load.stats?.pods.get(keyOf(pod)) ?? 0;
  const pods = (await chat.pods("server")).filter((pod) => isReady(pod) && isEligible(pod));
  const pod = pods.toSorted((a, b) => held(b) - held(a))[0];
  if (!pod || held(pod) === 0) throw new Violation(`none of ${pods.length} server pods is ready and holds sockets`);
  return { pod, held: held(pod) };
}

/** Lets traffic flow on both sides of what is to happen, so that the streams say something. */
export const breathe = (context: ScenarioContext, seconds = 4): Promise<void> => pause(seconds * 1_000, context.signal);

export function figures(summary: LoadSummary): string {
  const { verdict } = summary;
  return [
    `${verdict.published} published, ${verdict.delivered} delivered of ${verdict.expected}`,
    FAULTS.map((fault) => `${verdict[fault]} ${fault}`).join(", "),
    `${summary.moves} moves (${summary.makeBeforeBreak} make before break), ${summary.resumes} resumes, ${summary.cut} cut`,
    `without a socket p99 ${summary.p99GapMs.toFixed(1)} ms, max ${summary.maxGapMs.toFixed(1)} ms`,
    `writes held p50 ${quantileOf(summary.holdsMs, 0.5).toFixed(1)} ms, p99 ${summary.p99HoldMs.toFixed(1)} ms, max ${summary.maxHoldMs.toFixed(1)} ms`,
    `delivery p50 ${summary.deliveryP50Ms.toFixed(1)} ms, p99 ${summary.deliveryP99Ms.toFixed(1)} ms`,
    `${verdict.availabilityPercent.toFixed(2)} % acknowledged within 1 s, ${verdict.witnesses} witnesses`,
  ].join("; ");
}

/** Demanded of every run, whatever fault was made in it. */
export function checkNothingLost(checks: Checks, summary: LoadSummary): void {
  const { verdict } = summary;
  for (const fault of FAULTS) checks.equal(fault, verdict[fault], 0);
  for (const example of verdict.examples.slice(0, 8))
    checks.holds(`${example.fault} at ${example.client} ${example.channel}/${example.offset}`, false, example.what);
  checks.equal("weak evidence", verdict.weak, []);
  checks.equal("gaps told to applications", summary.toldGaps, 0);
  checks.holds(
    `availability >= ${MIN_AVAILABILITY_PERCENT} %`,
    verdict.availabilityPercent >= MIN_AVAILABILITY_PERCENT,
    verdict.availabilityPercent,
  );
}

/** Demanded where no fault was made: nobody noticed anything. */
export function checkNobodyNoticed(checks: Checks, summary: LoadSummary): void {
  checkNothingLost(checks, summary);
  checks.equal("plain resumes", summary.resumes, 0);
  checks.equal("new sessions after a break", summary.resets, 0);
  checks.equal("sockets cut", summary.cut, 0);
  checks.equal("disconnects seen by applications", summary.disconnects, 0);
  checks.equal("moves that made before they broke", summary.makeBeforeBreak, summary.moves);
}
