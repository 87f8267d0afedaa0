import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { FakeClock, systemClock } from "../runtime/index.ts";
import { createTextFetcher, type TextFetcher } from "./http-text.ts";
import { Scraper } from "./scraper.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function serve(listener: RequestListener): Promise<{ server: Server; port: number }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5_000;
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error("it did not happen within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const target = (uid: string, port: number) => ({ uid, host: "127.0.0.1", port, path: "/metrics" });

function fetcher(): TextFetcher {
  const { fetch, close } = createTextFetcher(systemClock);
  cleanups.push(close);
  return fetch;
}
async function fetchOnce(fetch: TextFetcher, port: number, maxBytes = 10_000, timeoutMs = 300) {
  let text = "";
  const why = await fetch({
    target: target("a", port),
    timeoutMs,
    maxBytes,
    onStart: () => (text = ""),
    onText: (chunk) => {
      text += chunk;
      return true;
    },
  });
  return { why, text };
}

describe("a scrape", () => {
  it("uses one connection again and asks for no compression", async () => {
    const seen = new Set<number | undefined>();
    const { port } = await serve((request, response) => {
      seen.add(request.socket.remotePort);
      response.end(`encoding ${request.headers["accept-encoding"]}\n`);
    });
    const fetch = fetcher();
    expect(await fetchOnce(fetch, port)).toEqual({ why: undefined, text: "encoding identity\n" });
    await fetchOnce(fetch, port);
    expect(seen.size).toBe(1);
  });

  it("asks again when an idle connection was closed under it", async () => {
    let requests = 0;
    const { port } = await serve((request, response) => {
      requests++;
      if (requests === 2) request.socket.resetAndDestroy();
      else response.end("a 1\n");
    });
    const fetch = fetcher();
    await fetchOnce(fetch, port);
    expect(await fetchOnce(fetch, port)).toEqual({ why: undefined, text: "a 1\n" });
    expect(requests).toBe(3);
  });

  it.each<[string, RequestListener, RegExp]>([
    ["never answers", () => undefined, /no full answer within 300 ms/],
    ["trickles for ever", (_, response) => void response.write("a 1\n"), /no full answer within 300 ms/],
    ["has an endless body", (_, response) => void response.write("x".repeat(20_000)), /longer than 10000 bytes/],
    ["answers 500", (_, response) => void response.writeHead(500).end("a 1\n"), /answers 500/],
    ["compresses", (_, response) => void response.writeHead(200, { "content-encoding": "gzip" }).end("x"), /gzip/],
    [
      "breaks off",
      (request, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("a 1\n", () => request.socket.destroy());
      },
      /cut|ECONNRESET/,
    ],
  ])("fails when the pod %s", async (_, listener, why) => {
    const { port } = await serve(listener);
    expect((await fetchOnce(fetcher(), port)).why).toMatch(why);
  });

  it("fails when nobody listens", async () => {
    const { server, port } = await serve(() => undefined);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect((await fetchOnce(fetcher(), port)).why).toBe("ECONNREFUSED");
  });
});

describe("Scraper", () => {
  it("learns connections and rates from real answers", async () => {
    let count = 0;
    const { port } = await serve((_, response) => {
      count++;
      response.end(`wscluster_connections 7\nprocess_cpu_seconds_total ${count * 0.3}\n`);
    });
    const scraper = new Scraper({ clock: systemClock, fetch: fetcher(), intervalMs: 600 });
    cleanups.push(() => scraper.stop());
    scraper.watch("c", [target("a", port)]);
    await until(() => scraper.signals.get("a")?.rates?.cpu.kind === "known");
    expect(scraper.signals.get("a")).toMatchObject({ reading: { connections: 7 }, failures: 0 });
  });

  it("spreads pods over the interval, runs a bounded number at once and never two of one pod", async () => {
    const clock = new FakeClock();
    const running = new Map<string, () => void>();
    let most = 0;
    const startedAtMs: number[] = [];
    const scraper = new Scraper({
      clock,
      concurrency: 8,
      fetch: ({ target: { uid }, onStart, onText }) => {
        expect(running.has(uid)).toBe(false);
        startedAtMs.push(clock.monotonicMs());
        return new Promise((resolve) => {
          running.set(uid, () => {
            running.delete(uid);
            onStart("text/plain");
            onText("wscluster_connections 1\n");
            resolve(undefined);
          });
          most = Math.max(most, running.size);
        });
      },
    });
    cleanups.push(() => scraper.stop());
    scraper.watch(
      "c",
      Array.from({ length: 200 }, (_, index) => target(`pod-${index}`, 1)),
    );
    for (let step = 0; step < 100; step++) {
      await clock.advance(100);
      if (step % 4 === 3) for (const answer of [...running.values()]) answer();
    }
    for (const answer of [...running.values()]) answer();
    expect(most).toBe(8);
    expect(new Set(startedAtMs).size).toBeGreaterThan(50);
    expect(scraper.signals.size).toBeGreaterThan(190);
    // Nobody answers any more: what hangs is not asked again and hangs in no queue twice.
    await clock.advance(60_000);
    expect(running.size).toBe(8);
    expect(scraper.counts.skipped).toBeGreaterThan(0);
    scraper.watch("c", []);
    expect(scraper.signals.size).toBe(0);
    expect(clock.timerCount).toBe(0);
  });

  it("asks a pod that does not answer less often, and at once again when it does", async () => {
    const clock = new FakeClock();
    let asked = 0;
    let isDead = true;
    const scraper = new Scraper({
      clock,
      fetch: ({ onStart, onText }) => {
        asked++;
        if (isDead) return Promise.resolve("ECONNREFUSED");
        onStart("text/plain");
        onText("wscluster_connections 1\n");
        return Promise.resolve(undefined);
      },
    });
    cleanups.push(() => scraper.stop());
    scraper.watch("c", [target("a", 1)]);
    await clock.advance(200_000);
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(11);
    isDead = false;
    await clock.advance(50_000);
    asked = 0;
    await clock.advance(100_000);
    expect(asked).toBe(10);
  });
});
