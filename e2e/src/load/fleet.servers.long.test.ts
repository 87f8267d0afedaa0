// The load and the oracle against real servers and the real SDK, with moves and faults that are forced: before any cluster is asked.
import { createServer, connect, type AddressInfo, type Server } from "node:net";
import { MemoryStore, startServer, type TestServer } from "@wscluster/server/testing";
import { afterEach, describe, expect, it } from "vitest";
import { sdkConnection } from "./sdk-connection.ts";
import { Fleet } from "./fleet.ts";
import { LOAD_DEFAULTS, type LoadSummary } from "./messages.ts";

const CLIENTS = 30;
const DEADLINE_MS = 15_000;
const now = () => performance.now();
const cleanups: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function until(isReached: () => boolean, what: string): Promise<void> {
  const deadline = now() + DEADLINE_MS;
  while (!isReached()) {
    if (now() > deadline) expect.unreachable(`waited for ${what}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** What the edge does: a named pod where `?pod=` names one, else the next of those that take new connections. */
async function openEdge(servers: readonly TestServer[], takesNew: () => readonly TestServer[]): Promise<string> {
  let turn = 0;
  const edge: Server = createServer((client) => {
    client.on("error", () => undefined);
    client.once("data", (head) => {
      const key = /[?&]pod=([^&\s]+)/.exec(head.toString("latin1"))?.[1];
      const open = takesNew();
      const target = servers.find((server) => server.podKey === key) ?? open[turn++ % open.length];
      if (!target) {
        client.destroy();
        return;
      }
      const upstream = connect(Number(new URL(target.url).port), "127.0.0.1");
      upstream.on("error", () => client.destroy());
      upstream.on("close", () => client.destroy());
      client.on("close", () => upstream.destroy());
      upstream.write(head);
      client.pipe(upstream).pipe(client);
    });
  });
  await new Promise<void>((resolve) => edge.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => edge.close(resolve)));
  return `ws://127.0.0.1:${(edge.address() as AddressInfo).port}/ws`;
}

async function openStage() {
  const broker = new MemoryStore();
  const servers = await Promise.all([1, 2, 3, 4].map(() => startServer({ broker })));
  cleanups.push(() => Promise.all(servers.map((server) => server.stop())));
  const [blue, green] = [servers.slice(0, 2), servers.slice(2)];
  let takesNew: readonly TestServer[] = blue;
  const url = await openEdge(servers, () => takesNew);
  const fleet = new Fleet(
    { ...LOAD_DEFAULTS, url, clients: CLIENTS, rooms: 5, messagesPerSecond: 5, connectsPerSecond: 500 },
    (client, events) => sdkConnection(url, client, events, now),
    now,
  );
  cleanups.push(() => fleet.abandon());
  await fleet.open(() => undefined);
  fleet.publish();
  await until(() => fleet.stats().published > 50, "messages before");
  return {
    fleet,
    blue,
    green,
    switchTo: (open: readonly TestServer[]) => {
      takesNew = open;
    },
    async finish(): Promise<LoadSummary> {
      const { published } = fleet.stats();
      await until(() => fleet.stats().published > published + 50, "messages after");
      return fleet.finish();
    },
  };
}

describe("fleet on real servers", () => {
  it("moves every client without a break, a loss or a resume", async () => {
    const { fleet, blue, green, switchTo, finish } = await openStage();
    switchTo(green);
    await fleet.joinWitnesses();
    let turn = 0;
    for (const source of blue)
      for (const session of source.sessions()) {
        const target = green[turn++ % green.length] ?? expect.unreachable();
        expect(source.forceMove(session, target)).toBeTypeOf("string");
      }
    await until(() => fleet.stats().moved === CLIENTS, "all moves");
    const summary = await finish();
    expect(summary.verdict.examples).toEqual([]);
    expect(summary.verdict).toMatchObject({ ok: true, lost: 0, duplicated: 0, reordered: 0, forked: 0, weak: [] });
    expect(summary).toMatchObject({
      moves: CLIENTS,
      movedClients: CLIENTS,
      makeBeforeBreak: CLIENTS,
      resumes: 0,
      resets: 0,
      cut: 0,
      disconnects: 0,
    });
    expect(summary.verdict.delivered).toBe(summary.verdict.expected);
    expect(summary.maxGapMs).toBe(0);
    expect(summary.maxHoldMs).toBeGreaterThan(0);
    // One that joined the new side in each room, and one that reads the store.
    expect(summary.verdict.witnesses).toBe(10);
  });

  it("sees a killed server as cuts and resumes, and nothing lost", async () => {
    const { fleet, blue, switchTo, finish } = await openStage();
    const victim = blue[0] ?? expect.unreachable();
    const held = victim.sessions().length;
    expect(held).toBeGreaterThan(0);
    fleet.fault(true);
    switchTo(blue.slice(1));
    await victim.kill();
    await until(() => fleet.stats().resumed >= held, "everybody to come back");
    fleet.fault(false);
    const summary = await finish();
    expect(summary.verdict.examples).toEqual([]);
    expect(summary.verdict).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, forked: 0 });
    expect(summary).toMatchObject({ moves: 0, resumes: held, cut: held, resets: 0, disconnects: held });
    expect(summary.maxGapMs).toBeGreaterThan(0);
  });
});
