// `storm`: a pod dies with all its sockets, and its clients come back to another one that serves its own. Two servers on one Redis.
import { pause, quantileOf, waitFor } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import { Audience } from "../fanout/audience.ts";
import { manyChannels, membersOf, type Work as Traffic } from "../fanout/layout.ts";
import { openSubscriber } from "../fanout/subscriber.ts";
import { pinGenerator, type Running, startContender } from "../rivals/running.ts";
import { WSCLUSTER, wsclusterCommand } from "../rivals/wscluster.ts";
import { mediansOf, type Round } from "../rounds.ts";
import { peakPerSecond } from "./rates.ts";
import { startRedis } from "../idle/redis-process.ts";
import { Returner } from "./returner.ts";

type Work = { readonly sockets: number; readonly rounds: number };
const FULL: Work = { sockets: 10_000, rounds: 3 };
const QUICK: Work = { sockets: 2_000, rounds: 1 };
const OPEN_AT_ONCE = 100;
const ROOM_MEMBERS = 100;
/** Messages to each room while its members are away. */
const MISSED = 5;
const BYSTANDERS = manyChannels(20, 10, 1);
const TRAFFIC: Traffic = { name: "Bystanders", rate: 100, seconds: 1, payloadBytes: 128, deaf: 0 };
const CALM_SECONDS = 4;
const READY_TIMEOUT_MS = 120_000;

export const storm: Bench = {
  name: "storm",
  measures: "a pod dies: how its clients come back to another one, and what that one's own clients feel",
  async run({ quick, signal, say }) {
    const work = quick ? QUICK : FULL;
    await pinGenerator();
    const rounds: Round[] = [];
    for (let round = 0; round < work.rounds; round += 1) {
      const figures = await runOnce(work.sockets, signal);
      rounds.push({ contender: WSCLUSTER.name, figures });
      say(JSON.stringify(figures));
    }
    const medians = mediansOf(rounds, WSCLUSTER.name);
    return {
      versions: {},
      setup: {
        sockets: work.sockets,
        missedMessages: MISSED,
        bystanders: BYSTANDERS.sockets,
        brake: "none in the server: the peak is over the measured capacity",
      },
      rounds,
      summary: {
        lost: sumOf(rounds, "lost"),
        duplicated: sumOf(rounds, "duplicated"),
        peakOverBrake: rounded((medians["peakReadyPerSecond"] ?? 0) / (medians["capacityPerSecond"] ?? 1)),
        readySeconds: medians["readySeconds"] ?? 0,
        p99Ratio: medians["p99Ratio"] ?? 0,
      },
    };
  },
};

const sumOf = (rounds: readonly Round[], name: string): number =>
  rounds.reduce((sum, round) => sum + (round.figures[name] ?? 0), 0);

async function runOnce(count: number, signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const redis = await startRedis(signal);
  const keys = "a-key-that-both-servers-of-a-bench-know";
  const env = { WSC_REDIS_URL: redis.url, WSC_TICKET_KEYS: keys };
  const command = (launch: Parameters<typeof wsclusterCommand>[0]) => wsclusterCommand(launch, { env });
  const servers: Running[] = [];
  const returners: Returner[] = [];
  let audience: Audience | undefined;
  try {
    const dying = await startContender(WSCLUSTER, { signal, command });
    servers.push(dying);
    const staying = await startContender(WSCLUSTER, { signal, command });
    servers.push(staying);
    audience = await Audience.open(staying, BYSTANDERS, 1);
    const arrivals = { attempts: [] as number[], ready: [] as number[], refused: 0, resumed: 0 };
    let port = dying.port;
    for (let index = 0; index < count; index += 1) {
      returners.push(
        new Returner(index, `storm-${index % Math.ceil(count / ROOM_MEMBERS)}`, {
          port: () => port,
          random: Math.random,
          onAttempt: () => arrivals.attempts.push(performance.now()),
          onRefused: () => (arrivals.refused += 1),
          onReady: (resumed) => {
            arrivals.ready.push(performance.now());
            if (resumed) arrivals.resumed += 1;
          },
        }),
      );
    }
    const capacity = await openAll(returners, () => arrivals.ready.length, signal);
    const calm = await delaysDuring(audience, signal, () => false, CALM_SECONDS);
    arrivals.attempts.length = 0;
    arrivals.ready.length = 0;
    arrivals.refused = 0;
    port = staying.port;
    const cutMs = performance.now();
    await dying.stop();
    const missed = publishMissed(staying, new Set(returners.map(({ channel }) => channel)), signal);
    const isOver = () => arrivals.ready.length >= count || performance.now() - cutMs > READY_TIMEOUT_MS;
    const stormy = await delaysDuring(audience, signal, isOver, READY_TIMEOUT_MS / 1_000);
    const stop = await missed;
    await settle(returners, signal);
    stop();
    const [before, during] = [quantileOf(calm, 0.99), quantileOf(stormy, 0.99)];
    const readyAfter = arrivals.ready.map((time) => time - cutMs);
    return {
      capacityPerSecond: Math.round(capacity),
      readySeconds: rounded(quantileOf(readyAfter, 1) / 1_000),
      ready99Seconds: rounded(quantileOf(readyAfter, 0.99) / 1_000),
      peakAttemptsPerSecond: peakPerSecond(arrivals.attempts),
      peakReadyPerSecond: peakPerSecond(arrivals.ready),
      notReady: count - arrivals.ready.length,
      attempts: arrivals.attempts.length,
      refused: arrivals.refused,
      resumed: arrivals.resumed,
      lost: returners.reduce((sum, { lost, offset }) => sum + lost + (MISSED - offset), 0),
      duplicated: returners.reduce((sum, { duplicated }) => sum + duplicated, 0),
      p99MsCalm: rounded(before),
      p99MsStorm: rounded(during),
      p99Ratio: rounded(before > 0 ? during / before : 0),
    };
  } finally {
    audience?.close();
    for (const returner of returners) returner.close();
    for (const server of servers) await server.stop();
    await redis.stop();
  }
}

/** Opens all as fast as the server takes them; resolves to sessions ready per second. */
async function openAll(returners: readonly Returner[], ready: () => number, signal: AbortSignal): Promise<number> {
  const beginMs = performance.now();
  for (let first = 0; first < returners.length; first += OPEN_AT_ONCE) {
    const batch = returners.slice(first, first + OPEN_AT_ONCE);
    await Promise.all(batch.map((returner) => returner.connect()));
    await waitFor("the sessions to be ready", async () => ready() >= first + batch.length || undefined, {
      timeoutMs: READY_TIMEOUT_MS,
      everyMs: 1,
      signal,
      seen: () => `${ready()} of ${returners.length}`,
    });
  }
  return returners.length / ((performance.now() - beginMs) / 1_000);
}

/** Delays of the bystanders' messages, second by second, until it is over. */
async function delaysDuring(
  audience: Audience,
  signal: AbortSignal,
  isOver: () => boolean,
  seconds: number,
): Promise<readonly number[]> {
  const delays: number[] = [];
  for (let second = 0; second < seconds && !isOver(); second += 1) {
    await audience.perform(TRAFFIC, membersOf(BYSTANDERS), signal);
    delays.push(...audience.delaysMs);
  }
  return delays;
}

/** Sends to the rooms of those who are away. Resolves to what closes the sender. */
async function publishMissed(
  running: Running,
  channels: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<() => void> {
  const publisher = await openSubscriber(running, 1_000_000, []);
  let id = 0;
  for (let seq = 1; seq <= MISSED; seq += 1) {
    for (const channel of channels) {
      id += 1;
      publisher.send(running.contender.publish(id, channel, seq, '"missed"'));
    }
    await pause(100, signal);
  }
  return () => publisher.destroy();
}

/** Waits until everybody has the last message, or nobody has got anything for a while. */
async function settle(returners: readonly Returner[], signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + 20_000;
  while (performance.now() < untilMs && returners.some(({ offset }) => offset < MISSED)) await pause(50, signal);
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
