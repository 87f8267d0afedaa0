// Pods that lie in their metrics, over real HTTP: nothing is believed, nobody else is scraped later, and no rebalance begins.
import { createServer, type RequestListener, type Server } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { advise, NO_MEMORY, rebalanceSettingsFor } from "../rebalance/index.ts";
import { systemClock } from "../runtime/index.ts";
import { createTextFetcher } from "./http-text.ts";
import { Scraper } from "./scraper.ts";
import { loadSnapshotFor, type LoadSnapshot } from "./snapshot.ts";

const INTERVAL_MS = 200;
const honest = (connections: number): RequestListener =>
  says(`wscluster_connections ${connections}\nprocess_resident_memory_bytes 1e8\n`);

function says(text: string): RequestListener {
  return (_incoming, outgoing) => void outgoing.setHeader("content-type", "text/plain; version=0.0.4").end(text);
}

const LIES: Readonly<Record<string, RequestListener>> = {
  "a negative number": says("wscluster_connections -5000\n"),
  NaN: says("wscluster_connections NaN\n"),
  infinity: says("wscluster_connections +Inf\n"),
  "a number beyond belief": says("wscluster_connections 9e15\n"),
  "more than it takes": says("wscluster_connections 500000\n"),
  "a fraction": says("wscluster_connections 1.5\n"),
  "the same line twice": says("wscluster_connections 1\nwscluster_connections 5000\n"),
  "no metrics at all": says("<html>it works</html>"),
  "an error": (_incoming, outgoing) => void outgoing.writeHead(500).end(),
  "an answer that never comes": () => undefined,
  "a body that trickles for ever": (_incoming, outgoing) => {
    outgoing.setHeader("content-type", "text/plain");
    const timer = setInterval(() => outgoing.write("# more\n"), 10);
    outgoing.on("close", () => clearInterval(timer));
  },
  "a body without end": (_incoming, outgoing) => {
    outgoing.setHeader("content-type", "text/plain");
    const more = (): void => {
      while (!outgoing.destroyed && outgoing.write("x".repeat(16_384)));
    };
    outgoing.on("drain", more);
    more();
  },
};

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function listen(listener: RequestListener): Promise<number> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("a scrape target that lies", () => {
  it.each(Object.keys(LIES))("%s: it is unknown, the others are known, and nothing is moved", async (lie) => {
    const fetcher = createTextFetcher(systemClock);
    const scraper = new Scraper({
      clock: systemClock,
      fetch: fetcher.fetch,
      intervalMs: INTERVAL_MS,
      timeoutMs: 150,
      maxBytes: 65_536,
    });
    cleanups.push(() => {
      scraper.stop();
      fetcher.close();
    });
    const listeners = [honest(100), honest(100), honest(100), LIES[lie] ?? honest(0)];
    const ports = await Promise.all(listeners.map(listen));
    const targets = ports.map((port, index) => ({ uid: `pod-${index}`, host: "127.0.0.1", port, path: "/metrics" }));
    scraper.watch("apps/chat", targets);
    const look = (): LoadSnapshot =>
      loadSnapshotFor({
        nowMs: systemClock.monotonicMs(),
        pods: targets.map(({ uid }) => ({
          key: uid,
          uid,
          serves: true,
          going: false,
          ageMs: 3_600_000,
          capacity: 9_000,
        })),
        signals: scraper.signals,
      });
    const known = (): boolean[] => look().pods.map((pod) => pod.connections.kind === "known");
    await expect.poll(() => scraper.signals.size, { timeout: 5_000 }).toBe(4);
    await expect.poll(known, { timeout: 5_000 }).toEqual([true, true, true, false]);
    const settings = rebalanceSettingsFor({ cooldownSeconds: 0, minPodAgeSeconds: 0 });
    // The same picture again and again, as over minutes: votes would have been counted by then.
    const { pods } = look();
    let memory = NO_MEMORY;
    const kinds = new Set<string>();
    for (let atMs = 0; atMs < 600_000; atMs += 10_000) {
      const next = advise(memory, { atMs, pods }, settings);
      ({ memory } = next);
      kinds.add(next.advice.kind);
      expect(next.advice.plan).toBeUndefined();
    }
    expect([...kinds]).toEqual(["unknown"]);
  });
});
