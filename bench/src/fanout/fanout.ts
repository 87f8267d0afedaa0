// `fanout`: CPU per delivery and latency, each server alone on one core, the receivers on raw sockets on the other.
import { quantileOf } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import { interleaved, type Round } from "../rounds.ts";
import { BUN } from "../rivals/bun.ts";
import { CENTRIFUGE_WRITE_DELAY } from "../rivals/centrifuge-writedelay.ts";
import { CENTRIFUGO } from "../rivals/centrifugo.ts";
import type { Contender } from "../rivals/contender.ts";
import { cpuMicroseconds, waitedMicroseconds } from "../rivals/process-figures.ts";
import { pinGenerator, prepareAll, startContender } from "../rivals/running.ts";
import { SOCKET_IO } from "../rivals/socket-io.ts";
import { HISTORY, WSCLUSTER } from "../rivals/wscluster.ts";
import { Audience } from "./audience.ts";
import { FULL, membersOf, type Plan, QUICK, WARM_UP, type Work } from "./layout.ts";
import { summaryOf } from "./summary.ts";

const ROUNDS = 5;
const CONTENDERS = [WSCLUSTER, CENTRIFUGO, CENTRIFUGE_WRITE_DELAY, SOCKET_IO, BUN];
const US_PER_MS = 1_000;
/** Above it the delays are the generator's own. */
const GENERATOR_LIMIT = 0.5;

export const fanout: Bench = {
  name: "fanout",
  measures: "CPU per delivery and latency of fan-out, beside Centrifugo, the centrifuge library, Socket.IO and Bun",
  async run({ quick, progress, signal, say }) {
    const { ready, missing } = await prepareAll(CONTENDERS, progress, signal);
    for (const { name, reason } of missing) say(`missing: ${name}: ${reason}`);
    await pinGenerator();
    const rounds: Round[] = [];
    for (const contender of interleaved(ready, quick ? 1 : ROUNDS)) {
      const figures = await runOnce(contender, quick ? QUICK : FULL, signal);
      rounds.push({ contender: contender.name, figures });
      say(`${contender.name}: ${JSON.stringify(figures)}`);
    }
    return {
      versions: Object.fromEntries(ready.map(({ name, version }) => [name, version])),
      setup: {
        durability: `memory; history of ${HISTORY.messages} messages, ${HISTORY.seconds} s`,
        withoutHistory: ready.flatMap(({ name, history }) => (history === "none" ? [name] : [])).join(", "),
        missing: missing.map(({ name, reason }) => `${name}: ${reason}`).join("; "),
        payloadBytes: 128,
      },
      rounds,
      summary: summaryOf(rounds),
    };
  },
};

async function runOnce(
  contender: Contender,
  plans: readonly Plan[],
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const figures: Record<string, number> = {};
  const running = await startContender(contender, { signal });
  try {
    for (const { layout, works } of plans) {
      const audience = await Audience.open(running, layout);
      try {
        for (const work of works) {
          const own = await measure(audience, work, membersOf(layout), running.pid, signal);
          await audience.wake(signal);
          if (work.name === WARM_UP) continue;
          for (const [name, value] of Object.entries(own)) figures[`${name}${work.name}`] = rounded(value);
        }
      } finally {
        audience.close();
      }
    }
    return figures;
  } finally {
    await running.stop();
  }
}

async function measure(
  audience: Audience,
  work: Work,
  members: ReadonlyMap<string, number>,
  pid: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const begin = {
    cpuUs: cpuMicroseconds(pid),
    waitedUs: waitedMicroseconds(pid),
    own: process.cpuUsage(),
    atMs: performance.now(),
  };
  const expected = await audience.perform(work, members, signal);
  const cpuUs = cpuMicroseconds(pid) - begin.cpuUs;
  const waitedUs = waitedMicroseconds(pid) - begin.waitedUs;
  const own = process.cpuUsage(begin.own);
  const elapsedUs = (performance.now() - begin.atMs) * US_PER_MS;
  const generatorBusy = (own.user + own.system) / elapsedUs;
  const delivered = audience.delivered + audience.deliveredToDeaf;
  return {
    cpuUsPerDelivery: cpuUs / Math.max(1, delivered),
    serverBusyPercent: (100 * cpuUs) / elapsedUs,
    // A server that others keep off its core joins more messages than it would alone: its CPU per delivery looks better.
    serverStarvedPercent: (100 * waitedUs) / elapsedUs,
    generatorBusyPercent: 100 * generatorBusy,
    ...(generatorBusy < GENERATOR_LIMIT
      ? { p50Ms: quantileOf(audience.delaysMs, 0.5), p99Ms: quantileOf(audience.delaysMs, 0.99) }
      : {}),
    sendLateP99Ms: quantileOf(audience.lateMs, 0.99),
    ...(work.deaf === 0 && delivered !== expected ? { missing: expected - delivered } : {}),
    ...(audience.closed > 0 ? { closed: audience.closed } : {}),
  };
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
