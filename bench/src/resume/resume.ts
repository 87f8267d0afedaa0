// `resume`: a pod dies, its clients miss messages and come back to another one, all at once: with channels of their own, and all in one.
import { quantileOf, waitFor } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import { openSubscriber } from "../fanout/subscriber.ts";
import { startRedis } from "../idle/redis-process.ts";
import type { Launch } from "../rivals/contender.ts";
import { cpuMicroseconds } from "../rivals/process-figures.ts";
import { type Running, startContender } from "../rivals/running.ts";
import { WSCLUSTER, wsclusterCommand } from "../rivals/wscluster.ts";
import { mediansOf, type Round } from "../rounds.ts";
import { countCommands } from "./redis-commands.ts";
import { Resumer } from "./resumer.ts";

type Work = { readonly clients: number; readonly channelsEach: number; readonly rounds: number };
const FULL: Work = { clients: 5_000, channelsEach: 10, rounds: 5 };
const QUICK: Work = { clients: 500, channelsEach: 10, rounds: 1 };
const MISSED_EACH = 20;
const OPEN_AT_ONCE = 100;
const READY_TIMEOUT_MS = 120_000;
const PUBLISHERS = 4;
/** Messages on their way to the store at most, so that the publisher is not what is measured. */
const PUBLISH_PER_TURN = 500;
const MS_PER_SECOND = 1_000;
const TICKET_KEY = "a-key-that-both-servers-of-a-bench-know";

export const resume: Bench = {
  name: "resume",
  measures: "thousands come back at once with what they missed: time, losses, commands that reach the store",
  async run({ quick, signal, say }) {
    const work = quick ? QUICK : FULL;
    const rounds: Round[] = [];
    for (let round = 0; round < work.rounds; round += 1) {
      const own = await runOnce(work.clients, work.channelsEach, signal);
      const shared = await runOnce(work.clients, 0, signal);
      const figures = {
        ...own,
        ...Object.fromEntries(Object.entries(shared).map(([name, value]) => [`oneChannel_${name}`, value])),
      };
      rounds.push({ contender: WSCLUSTER.name, figures });
      say(JSON.stringify(figures));
    }
    const medians = mediansOf(rounds, WSCLUSTER.name);
    const worst = (name: string) => Math.max(0, ...rounds.map(({ figures }) => figures[name] ?? 0));
    return {
      versions: {},
      setup: {
        clients: work.clients,
        subscriptionsPerClient: work.channelsEach,
        missedPerClient: MISSED_EACH,
        durability: "memory",
        joinWindow: "none: all at once",
        commands: "counted with MONITOR over a tenth of the clients, those of scripts apart",
      },
      rounds,
      summary: {
        seconds: medians["seconds"] ?? 0,
        lost: worst("lost") + worst("oneChannel_lost"),
        duplicated: worst("duplicated") + worst("oneChannel_duplicated"),
        // Resumes carried no token, so each one that was not taken would have needed one.
        authCalls: worst("notResumed") + worst("oneChannel_notResumed"),
        commandsPerResume: medians["commandsPerResume"] ?? 0,
        oneChannelSeconds: medians["oneChannel_seconds"] ?? 0,
        oneChannelXrangePerResume: medians["oneChannel_xrangePerResume"] ?? 0,
      },
    };
  },
};

/** @param channelsEach 0 = all in the same one. */
async function runOnce(
  clients: number,
  channelsEach: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const redis = await startRedis(signal);
  const resumers: Resumer[] = [];
  const servers: Running[] = [];
  const start = async (): Promise<Running> => {
    const command = (launch: Launch) =>
      wsclusterCommand(launch, { env: { WSC_REDIS_URL: redis.url, WSC_TICKET_KEYS: TICKET_KEY } });
    const server = await startContender(WSCLUSTER, { signal, isPinned: false, command });
    servers.push(server);
    return server;
  };
  try {
    const [dying, staying] = [await start(), await start()];
    const seen: Seen = { ready: 0, resumed: 0, caughtUpMs: [] };
    for (let index = 0; index < clients; index += 1) {
      const own = Array.from({ length: channelsEach }, (_, at) => `resume-${index}-${at}`);
      const hooks = {
        onReady: (isResumed: boolean) => {
          seen.ready += 1;
          if (isResumed) seen.resumed += 1;
        },
        onCaughtUp: () => void seen.caughtUpMs.push(performance.now()),
      };
      resumers.push(new Resumer(index, channelsEach === 0 ? ["everybody"] : own, hooks));
    }
    await openAll(dying, resumers, seen, signal);
    const missed = channelsEach === 0 ? MISSED_EACH : Math.max(1, Math.round(MISSED_EACH / channelsEach));
    await dying.stop();
    await publish(staying, new Set(resumers.flatMap(({ channels }) => channels)), missed, signal);

    // A tenth comes back by itself first, while the store tells what it is asked.
    const few = resumers.slice(0, Math.ceil(clients / 10));
    const commands = await countCommands(Number(new URL(redis.url).port));
    await comeBack(staying, few, missed, seen, signal);
    const counts = commands.stop();
    const notResumed = few.length - seen.resumed;

    const rest = resumers.slice(few.length);
    const cpuUs = () => [cpuMicroseconds(staying.pid), cpuMicroseconds(redis.pid)];
    const before = cpuUs();
    const beginMs = performance.now();
    await comeBack(staying, rest, missed, seen, signal);
    const spentUs = cpuUs().map((after, at) => (after - (before[at] ?? 0)) / rest.length);
    const took = seen.caughtUpMs.map((time) => (time - beginMs) / MS_PER_SECOND);
    return {
      seconds: rounded(quantileOf(took, 1)),
      medianSeconds: rounded(quantileOf(took, 0.5)),
      lost: resumers.reduce((sum, { lost }) => sum + lost, 0),
      duplicated: resumers.reduce((sum, { duplicated }) => sum + duplicated, 0),
      notResumed: notResumed + rest.length - seen.resumed,
      cpuUsServer: rounded(spentUs[0] ?? 0),
      cpuUsRedis: rounded(spentUs[1] ?? 0),
      commandsPerResume: rounded([...counts.values()].reduce((sum, count) => sum + count, 0) / few.length),
      ...Object.fromEntries([...counts].map(([name, count]) => [`${name}PerResume`, rounded(count / few.length)])),
    };
  } finally {
    for (const resumer of resumers) resumer.cut();
    for (const server of servers) await server.stop();
    await redis.stop();
  }
}

type Seen = { ready: number; resumed: number; caughtUpMs: number[] };

/** All at once. */
async function comeBack(
  server: Running,
  resumers: readonly Resumer[],
  missed: number,
  seen: Seen,
  signal: AbortSignal,
): Promise<void> {
  Object.assign(seen, { ready: 0, resumed: 0, caughtUpMs: [] });
  await Promise.all(resumers.map((resumer) => resumer.connect(server.port, missed)));
  await untilCount("all to have caught up", () => seen.caughtUpMs.length, resumers.length, signal);
}

async function openAll(server: Running, resumers: readonly Resumer[], seen: Seen, signal: AbortSignal): Promise<void> {
  for (let first = 0; first < resumers.length; first += OPEN_AT_ONCE) {
    const batch = resumers.slice(first, first + OPEN_AT_ONCE);
    await Promise.all(batch.map((resumer) => resumer.connect(server.port, 0)));
    await untilCount("the sessions to be ready", () => seen.ready, first + batch.length, signal);
  }
}

/** Resolves when the server has stored all of it. */
async function publish(
  server: Running,
  channels: ReadonlySet<string>,
  each: number,
  signal: AbortSignal,
): Promise<void> {
  const senders = await Promise.all(
    Array.from({ length: PUBLISHERS }, (_, at) => openSubscriber(server, 1_000_000 + at, [])),
  );
  let stored = 0;
  let sent = 0;
  for (const sender of senders) {
    sender.stream.onText = (payload) => {
      stored += payload.toString("latin1").split('"pub.ok"').length - 1;
    };
  }
  const plan = [...channels].flatMap((channel, at) =>
    Array.from({ length: each }, (_, turn) => ({ channel, turn, at: at % PUBLISHERS })),
  );
  for (const { channel, turn, at } of plan) {
    sent += 1;
    senders[at]?.send(server.contender.publish(sent, channel, turn + 1, '"missed"'));
    if (sent % PUBLISH_PER_TURN === 0) await untilCount("the store", () => stored, sent - PUBLISH_PER_TURN, signal);
  }
  await untilCount("the store", () => stored, sent, signal);
  for (const sender of senders) sender.destroy();
}

async function untilCount(what: string, count: () => number, wanted: number, signal: AbortSignal): Promise<void> {
  if (count() >= wanted) return;
  await waitFor(what, async () => count() >= wanted || undefined, {
    timeoutMs: READY_TIMEOUT_MS,
    everyMs: 2,
    signal,
    seen: () => `${count()} of ${wanted}`,
  });
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
