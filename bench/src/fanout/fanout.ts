// `fanout`: CPU per delivery of one channel with many subscribers, the server alone on one core, receivers on raw sockets.
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { pause, quantileOf, waitFor } from "@wscluster/e2e";
import type { Bench } from "../bench.ts";
import { interleaved, mediansOf, type Round } from "../rounds.ts";
import { type Contender, SOCKET_IO, WSCLUSTER } from "./contenders.ts";
import { cpuMicroseconds } from "./process-cpu.ts";
import { RawSocket } from "./raw-socket.ts";

type Work = {
  readonly subscribers: number;
  readonly rates: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
};

const FULL: Work = { subscribers: 1_000, rates: [50, 200, 1_000], seconds: 8, rounds: 5 };
const QUICK: Work = { subscribers: 500, rates: [50, 200], seconds: 3, rounds: 1 };
const PAYLOAD_BYTES = 128;
const START_TIMEOUT_MS = 20_000;
const DRAIN_TIMEOUT_MS = 10_000;
/** Every n-th receiver reads the planned send time of each message. */
const SAMPLE_EVERY = 50;
const STAMP = '"at":';

export const fanout: Bench = {
  name: "fanout",
  measures: "CPU per delivery and latency of one channel with many subscribers, beside Socket.IO",
  async run({ quick, signal, say }) {
    const work = quick ? QUICK : FULL;
    const rounds: Round[] = [];
    for (const contender of interleaved([WSCLUSTER, SOCKET_IO], work.rounds)) {
      const figures = await runOnce(contender, work, signal);
      rounds.push({ contender: contender.name, figures });
      say(`${contender.name}: ${JSON.stringify(figures)}`);
    }
    const { subscribers, seconds } = work;
    const setup = { subscribers, seconds, payloadBytes: PAYLOAD_BYTES, durability: "memory", history: "ours only" };
    return { versions: { "socket.io": "4.8.3" }, setup, rounds, summary: summaryOf(rounds, work) };
  },
};

function summaryOf(rounds: readonly Round[], work: Work): Readonly<Record<string, number>> {
  const ours = mediansOf(rounds, WSCLUSTER.name);
  const theirs = mediansOf(rounds, SOCKET_IO.name);
  const middle = work.rates.includes(200) ? 200 : (work.rates[0] ?? 0);
  const ratios = work.rates.map((rate): readonly [string, number] => {
    const key = `cpuUsPerDelivery${rate}`;
    return [`vsSocketIo${rate}`, rounded((ours[key] ?? 0) / (theirs[key] ?? 1))];
  });
  return {
    cpuUsPerDelivery: ours[`cpuUsPerDelivery${middle}`] ?? 0,
    ...Object.fromEntries(ratios),
    p99Ms: ours[`p99Ms${middle}`] ?? 0,
    p99MsSocketIo: theirs[`p99Ms${middle}`] ?? 0,
  };
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("cannot find a free port on 127.0.0.1");
  return address.port;
}

async function runOnce(contender: Contender, work: Work, signal: AbortSignal): Promise<Round["figures"]> {
  const port = await freePort();
  // The server alone on core 0; the generator keeps to the others.
  const [program, ...argv]: [string, ...string[]] = ["taskset", "-c", "0", process.execPath, ...contender.argv];
  const env = { ...process.env, ...contender.env(port) };
  const server = spawn(program, argv, { stdio: ["ignore", "ignore", "inherit"], env });
  const sockets: RawSocket[] = [];
  const meter = { delivered: 0, delays: [] as number[] };
  try {
    await waitFor(`${contender.name} to listen`, () => attempt(contender, port, server), {
      timeoutMs: START_TIMEOUT_MS,
      signal,
    });
    for (let index = 0; index < work.subscribers; index += 1)
      sockets.push(await subscriber(contender, port, index, meter));
    const publisher = sockets[0];
    if (!publisher) throw new Error("a fan-out needs subscribers");
    const figures: Record<string, number> = {};
    let seq = 0;
    for (const rate of work.rates) {
      const begin = { cpu: cpuMicroseconds(pidOf(server)), own: process.cpuUsage(), at: performance.now() };
      meter.delivered = 0;
      meter.delays.length = 0;
      const count = rate * work.seconds;
      for (let sent = 0; sent < count; sent += 1) {
        const plannedAt = begin.at + (sent * 1_000) / rate;
        if (plannedAt > performance.now()) await pause(plannedAt - performance.now(), signal);
        seq += 1;
        publisher.send(contender.publish(seq, payloadFor(plannedAt)));
      }
      const expected = count * work.subscribers;
      await waitFor("all deliveries", async () => meter.delivered >= expected || undefined, {
        timeoutMs: DRAIN_TIMEOUT_MS,
        everyMs: 20,
        signal,
        seen: () => `${meter.delivered} of ${expected}`,
      });
      const elapsedUs = (performance.now() - begin.at) * 1_000;
      const own = process.cpuUsage(begin.own);
      figures[`cpuUsPerDelivery${rate}`] = rounded((cpuMicroseconds(pidOf(server)) - begin.cpu) / expected);
      figures[`p50Ms${rate}`] = rounded(quantileOf(meter.delays, 0.5));
      figures[`p99Ms${rate}`] = rounded(quantileOf(meter.delays, 0.99));
      figures[`serverBusyPercent${rate}`] = rounded((100 * (cpuMicroseconds(pidOf(server)) - begin.cpu)) / elapsedUs);
      // Above 50 % the delays are the generator's own.
      figures[`generatorBusyPercent${rate}`] = rounded((100 * (own.user + own.system)) / elapsedUs);
    }
    return figures;
  } finally {
    for (const socket of sockets) socket.destroy();
    server.kill("SIGKILL");
  }
}

function pidOf(server: ChildProcess): number {
  // taskset replaces itself by the server: the pid stays.
  if (server.pid === undefined || server.exitCode !== null) throw new Error("the server ended");
  return server.pid;
}

async function attempt(contender: Contender, port: number, server: ChildProcess): Promise<true> {
  pidOf(server);
  const { path, subprotocol } = contender;
  const socket = await RawSocket.open({ port, path, onText: () => undefined, ...(subprotocol ? { subprotocol } : {}) });
  socket.destroy();
  return true;
}

async function subscriber(
  contender: Contender,
  port: number,
  index: number,
  meter: { delivered: number; readonly delays: number[] },
): Promise<RawSocket> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const isSampled = index % SAMPLE_EVERY === 0;
  const { path, subprotocol } = contender;
  let isJoined = false;
  const socket = await RawSocket.open({
    port,
    path,
    ...(subprotocol ? { subprotocol } : {}),
    onText: (payload) => {
      if (payload.toString("latin1", 0, contender.delivery.length) === contender.delivery) {
        meter.delivered += 1;
        if (isSampled) meter.delays.push(performance.now() - stampIn(payload.toString("latin1")));
      } else if (!isJoined && payload.includes(contender.joined)) {
        isJoined = true;
        resolve();
      }
    },
  });
  socket.send(contender.join.replace("PRODUCER", `bench-${index}`));
  await promise;
  return socket;
}

function payloadFor(at: number): string {
  const head = `{${STAMP}${at.toFixed(3)},"fill":"`;
  return `${head}${"x".repeat(Math.max(0, PAYLOAD_BYTES - head.length - 2))}"}`;
}

function stampIn(text: string): number {
  const from = text.indexOf(STAMP) + STAMP.length;
  return Number(text.slice(from, text.indexOf(",", from)));
}
