// `fanout`: CPU per delivery and latency, each server alone on one core, the receivers on raw sockets on the other.
import { quantileOf } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import { interleaved, type Round } from "../rounds.ts";
import { BUN } from "../rivals/bun.ts";
import { CENTRIFUGE_WRITE_DELAY } from "../rivals/centrifuge-writedelay.ts";
import { CENTRIFUGO } from "../rivals/centrifugo.ts";
import type { Contender } from "../rivals/contender.ts";
import { type CoreTime, coreTime, foreignShare, waitForCalm } from "../rivals/core-load.ts";
import { cpuMicroseconds } from "../rivals/process-figures.ts";
import { GENERATOR_CORE, pinGenerator, prepareAll, SERVER_CORE, startContender } from "../rivals/running.ts";
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
/** Share of a core above which others have it too: a server that waits for its core joins more messages and looks better. */
const FOREIGN_LIMIT = 0.1;
const TRIES = 3;
/** Longer works are not repeated. */
const REPEATED_SECONDS = 5;
const CALM_TIMEOUT_MS = 15_000;

export const fanout: Bench = {
  name: "fanout",
  measures: "CPU per delivery and latency of fan-out, beside Centrifugo, the centrifuge library, Socket.IO and Bun",
  async run({ quick, progress, signal, say }) {
    const { ready, missing } = await prepareAll(CONTENDERS, progress, signal);
    for (const { name, reason } of missing) say(`missing: ${name}: ${reason}`);
    await pinGenerator();
    const rounds: Round[] = [];
    for (const contender of interleaved(ready, quick ? 1 : ROUNDS)) {
      const figures = await runOnce(contender, quick ? QUICK : FULL, signal).catch((error: unknown) => {
        // Interrupted: what is complete counts.
        if (signal.aborted && rounds.length > 0) return undefined;
        throw error;
      });
      if (!figures) break;
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
    for (const { layout, works, rivals } of plans) {
      if (contender !== WSCLUSTER && !rivals.includes(contender.name)) continue;
      const audience = await Audience.open(running, layout);
      try {
        for (const work of works) {
          const own = await measureInCalm(audience, work, membersOf(layout), running.pid, signal);
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

type Figures = Readonly<Record<string, number>>;

/** The machine may be shared: repeats a work during which others had the server's core too, and keeps the calmest. */
async function measureInCalm(
  audience: Audience,
  work: Work,
  members: ReadonlyMap<string, number>,
  pid: number,
  signal: AbortSignal,
): Promise<Figures> {
  const tries = work.name === WARM_UP || work.seconds > REPEATED_SECONDS ? 1 : TRIES;
  let best: Figures | undefined;
  for (let tried = 0; tried < tries; tried += 1) {
    if (work.name !== WARM_UP) await waitForCalm([SERVER_CORE, GENERATOR_CORE], CALM_TIMEOUT_MS, signal);
    const figures = await measure(audience, work, members, pid, signal);
    await audience.wake(signal);
    if (!best || foreignOf(figures) < foreignOf(best)) best = figures;
    if (foreignOf(best) <= 100 * FOREIGN_LIMIT) break;
  }
  return best ?? {};
}

const foreignOf = (figures: Figures): number => figures["foreignPercent"] ?? 0;

type Cores = { readonly server: CoreTime; readonly generator: CoreTime };

const coresNow = (): Cores => ({ server: coreTime(SERVER_CORE), generator: coreTime(GENERATOR_CORE) });

async function measure(
  audience: Audience,
  work: Work,
  members: ReadonlyMap<string, number>,
  pid: number,
  signal: AbortSignal,
): Promise<Figures> {
  const begin = { cpuUs: cpuMicroseconds(pid), own: process.cpuUsage(), atMs: performance.now(), cores: coresNow() };
  const expected = await audience.perform(work, members, signal);
  const cpuUs = cpuMicroseconds(pid) - begin.cpuUs;
  const own = process.cpuUsage(begin.own);
  const cores = coresNow();
  const elapsedUs = (performance.now() - begin.atMs) * US_PER_MS;
  const ownUs = own.user + own.system;
  const foreign = foreignShare(begin.cores.server, cores.server, cpuUs);
  const foreignBeside = foreignShare(begin.cores.generator, cores.generator, ownUs);
  const isTimed = ownUs / elapsedUs < GENERATOR_LIMIT && Math.max(foreign, foreignBeside) < 2 * FOREIGN_LIMIT;
  const delivered = audience.delivered + audience.deliveredToDeaf;
  return {
    cpuUsPerDelivery: cpuUs / Math.max(1, delivered),
    serverBusyPercent: (100 * cpuUs) / elapsedUs,
    foreignPercent: 100 * foreign,
    generatorBusyPercent: (100 * ownUs) / elapsedUs,
    ...(isTimed ? { p50Ms: quantileOf(audience.delaysMs, 0.5), p99Ms: quantileOf(audience.delaysMs, 0.99) } : {}),
    ...(work.deaf === 0 && delivered !== expected ? { missing: expected - delivered } : {}),
    ...(audience.closed > 0 ? { closed: audience.closed } : {}),
  };
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
