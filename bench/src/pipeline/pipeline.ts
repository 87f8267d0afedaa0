// `pipeline`: client -> server -> Redis -> other server -> client, beside Centrifugo on a Redis of its own.
import { quantileOf } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import { type RedisProcess, startRedis } from "../idle/redis-process.ts";
import { CENTRIFUGO, centrifugoCommand } from "../rivals/centrifugo.ts";
import type { Command, Contender, Launch } from "../rivals/contender.ts";
import { cpuMicroseconds } from "../rivals/process-figures.ts";
import { prepareAll, type Running, startContender } from "../rivals/running.ts";
import { WSCLUSTER, wsclusterCommand } from "../rivals/wscluster.ts";
import { interleaved, type Round } from "../rounds.ts";
import { Pairs } from "./pairs.ts";
import { summaryOf } from "./summary.ts";

type Work = {
  readonly pairs: number;
  readonly rates: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
};
const FULL: Work = { pairs: 200, rates: [500, 1_000, 2_500, 5_000], seconds: 5, rounds: 5 };
const QUICK: Work = { pairs: 50, rates: [500, 2_000], seconds: 2, rounds: 1 };
const PAYLOAD_BYTES = 128;
/** At the highest rate: what is compiled while it runs must not count. */
const WARM_SECONDS = 3;

type OnRedis = (launch: Launch, redis: RedisProcess) => Promise<Command>;

const ON_REDIS: Readonly<Record<string, OnRedis>> = {
  [WSCLUSTER.name]: (launch, redis) => wsclusterCommand(launch, { env: { WSC_REDIS_URL: redis.url } }),
  [CENTRIFUGO.name]: (launch, redis) =>
    centrifugoCommand(launch, { engine: { type: "redis", redis: { address: redis.url } } }),
};

export const pipeline: Bench = {
  name: "pipeline",
  measures: "delay from client over server, Redis and another server to a client, beside Centrifugo with Redis",
  async run({ quick, progress, signal, say }) {
    const work = quick ? QUICK : FULL;
    const { ready, missing } = await prepareAll([WSCLUSTER, CENTRIFUGO], progress, signal);
    for (const { name, reason } of missing) say(`missing: ${name}: ${reason}`);
    const rounds: Round[] = [];
    for (const contender of interleaved(ready, work.rounds)) {
      const figures = await runOnce(contender, work, signal);
      rounds.push({ contender: contender.name, figures });
      say(`${contender.name}: ${JSON.stringify(figures)}`);
    }
    return {
      versions: Object.fromEntries(ready.map(({ name, version }) => [name, version])),
      setup: {
        durability: "memory",
        channels: work.pairs,
        subscriptionsPerClient: 1,
        payloadBytes: PAYLOAD_BYTES,
        rates: work.rates.join(", "),
        missing: missing.map(({ name, reason }) => `${name}: ${reason}`).join("; "),
      },
      rounds,
      summary: summaryOf(rounds, work.rates),
    };
  },
};

async function runOnce(
  contender: Contender,
  work: Work,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const redis = await startRedis(signal);
  const servers: Running[] = [];
  let pairs: Pairs | undefined;
  const start = async (): Promise<Running> => {
    const server = await startContender(contender, {
      signal,
      isPinned: false,
      command: (launch) => ON_REDIS[contender.name]?.(launch, redis) ?? contender.command(launch),
    });
    servers.push(server);
    return server;
  };
  try {
    const [source, target] = [await start(), await start()];
    pairs = await Pairs.open(work.pairs, source, target);
    await pairs.perform(work.rates.at(-1) ?? 0, WARM_SECONDS, PAYLOAD_BYTES, signal);
    const figures: Record<string, number> = {};
    for (const rate of work.rates) {
      const cpuUs = () => [...servers.map(({ pid }) => pid), redis.pid].map(cpuMicroseconds);
      const before = cpuUs();
      const missing = await pairs.perform(rate, work.seconds, PAYLOAD_BYTES, signal);
      const spent = cpuUs().map((after, at) => (after - (before[at] ?? 0)) / (rate * work.seconds));
      figures[`p50Ms${rate}`] = rounded(quantileOf(pairs.delaysMs, 0.5));
      figures[`p99Ms${rate}`] = rounded(quantileOf(pairs.delaysMs, 0.99));
      figures[`cpuUsServers${rate}`] = rounded((spent[0] ?? 0) + (spent[1] ?? 0));
      figures[`cpuUsRedis${rate}`] = rounded(spent[2] ?? 0);
      if (missing > 0) figures[`missing${rate}`] = missing;
    }
    return figures;
  } finally {
    pairs?.close();
    for (const server of servers) await server.stop();
    await redis.stop();
  }
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
