// `idle`: what one more authenticated connection costs in memory that stays, beside Centrifugo and Socket.IO.
import { pause } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import type { RawSocket } from "../fanout/raw-socket.ts";
import { CENTRIFUGO, CENTRIFUGO_TUNED } from "../rivals/centrifugo.ts";
import type { Contender } from "../rivals/contender.ts";
import { kernelKiB, residentKiB } from "../rivals/process-figures.ts";
import { pinGenerator, prepareAll, startContender } from "../rivals/running.ts";
import { SOCKET_IO } from "../rivals/socket-io.ts";
import { WSCLUSTER } from "../rivals/wscluster.ts";
import { interleaved, mediansOf, type Round } from "../rounds.ts";
import { collectGarbage } from "./collect.ts";
import { openUpTo, ROOM_MEMBERS } from "./connections.ts";
import { measurePath } from "./path.ts";
import { type Point, slopeOf } from "./slope.ts";

const CONTENDERS = [WSCLUSTER, CENTRIFUGO, CENTRIFUGO_TUNED, SOCKET_IO];
type Work = { readonly steps: readonly number[]; readonly subscriptions: readonly number[]; readonly rounds: number };
/** Three rounds: memory varies little from one to the next. */
const FULL: Work = { steps: [2_000, 6_000, 10_000, 15_000], subscriptions: [1, 10], rounds: 3 };
const QUICK: Work = { steps: [1_000, 2_000, 3_000], subscriptions: [1], rounds: 1 };
const SETTLE_MS = 1_000;

export const idle: Bench = {
  name: "idle",
  measures: "memory per authenticated connection with 1 and 10 subscriptions, beside Centrifugo and Socket.IO",
  async run({ quick, progress, signal, say }) {
    const work = quick ? QUICK : FULL;
    const { ready, missing } = await prepareAll(CONTENDERS, progress, signal);
    for (const { name, reason } of missing) say(`missing: ${name}: ${reason}`);
    await pinGenerator();
    const rounds: Round[] = [];
    for (const contender of interleaved(ready, work.rounds)) {
      const figures = await runRound(contender, work, signal).catch((error: unknown) => {
        // Interrupted: what is complete counts.
        if (signal.aborted && rounds.length > 0) return undefined;
        throw error;
      });
      if (!figures) break;
      rounds.push({ contender: contender.name, figures });
      say(`${contender.name}: ${JSON.stringify(figures)}`);
    }
    const path =
      quick || signal.aborted ? "not measured in a quick or interrupted run" : await addPath(rounds, say, signal);
    return {
      versions: Object.fromEntries(ready.map(({ name, version }) => [name, version])),
      setup: {
        connections: work.steps.join(", "),
        subscriptions: work.subscriptions.join(", "),
        roomMembers: ROOM_MEMBERS,
        path,
        presence: "off",
        missing: missing.map(({ name, reason }) => `${name}: ${reason}`).join("; "),
      },
      rounds,
      summary: summaryOf(rounds, work.subscriptions),
    };
  },
};

async function runRound(
  contender: Contender,
  work: Work,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const figures: Record<string, number> = {};
  for (const count of work.subscriptions) {
    for (const [name, value] of Object.entries(await runOnce(contender, work.steps, count, signal)))
      figures[`${name}${count}`] = rounded(value);
  }
  return figures;
}

/** The whole way, once; where a part of it is missing, the reason. */
async function addPath(rounds: Round[], say: (text: string) => void, signal: AbortSignal): Promise<string> {
  try {
    const figures = await measurePath(signal);
    rounds.push({ contender: "wscluster, haproxy, redis", figures: figuresRounded(figures) });
    say(`path: ${JSON.stringify(figures)}`);
    return "haproxy, server, redis, one round";
  } catch (error) {
    if (signal.aborted) throw error;
    return `missing: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const figuresRounded = (figures: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)]));

async function runOnce(
  contender: Contender,
  steps: readonly number[],
  subscriptions: number,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const running = await startContender(contender, { signal, collects: true });
  const sockets: RawSocket[] = [];
  let closed = 0;
  try {
    const resident: Point[] = [];
    const kernel: Point[] = [];
    await collectGarbage(running, signal);
    const emptyKiB = residentKiB(running.pid);
    for (const step of steps) {
      await openUpTo(running, sockets, step, subscriptions, () => (closed += 1));
      await pause(SETTLE_MS, signal);
      await collectGarbage(running, signal);
      resident.push({ count: step, total: residentKiB(running.pid) });
      kernel.push({ count: step, total: kernelKiB() });
    }
    return {
      kbPerConnection: slopeOf(resident),
      // Also what the first connections needed once and for all: code, pools, room to collect in.
      aboveEmptyKb: ((resident.at(-1)?.total ?? 0) - emptyKiB) / (steps.at(-1) ?? 1),
      residentMb: (resident.at(-1)?.total ?? 0) / 1_024,
      // Both ends of each connection, of the whole machine.
      kernelKbPerConnection: slopeOf(kernel),
      ...(closed > 0 ? { closed } : {}),
    };
  } finally {
    // The server's end goes first: the ports of this side need not rest then.
    await running.stop();
    for (const socket of sockets) socket.destroy();
  }
}

function summaryOf(rounds: readonly Round[], subscriptions: readonly number[]): Readonly<Record<string, number>> {
  const ours = mediansOf(rounds, WSCLUSTER.name);
  const summary: Record<string, number> = {};
  for (const count of subscriptions) {
    const key = `kbPerConnection${count}`;
    const own = ours[key];
    if (own === undefined) continue;
    // The figures without a count are those of one subscription.
    const ending = count === 1 ? "" : String(count);
    summary[`kbPerConnection${ending}`] = rounded(own);
    for (const [name, rival] of [
      ["vsCentrifugo", CENTRIFUGO.name],
      ["vsCentrifugoTuned", CENTRIFUGO_TUNED.name],
      ["vsSocketIo", SOCKET_IO.name],
    ] as const) {
      const theirs = mediansOf(rounds, rival)[key];
      if (theirs !== undefined && theirs > 0) summary[`${name}${ending}`] = rounded(own / theirs);
    }
  }
  return summary;
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
