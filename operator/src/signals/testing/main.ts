// Measures the scraper: `main.ts [pods] [seconds]` scrapes that many pods each 10 s from a process beside it and prints the
// CPU (user and system) that scraping, parsing and reducing took, as JSON. A measurement, not a test.
import { fork } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createMetrics } from "@wscluster/platform";
import { SERVER_METRICS } from "@wscluster/protocol";
import { systemClock } from "../../runtime/index.ts";
import { createTextFetcher, loadSnapshotFor, PARTITIONS, PARTITION_METRICS, Scraper } from "../index.ts";

const [role = "2000", secondsText = "30"] = process.argv.slice(2);

if (role === "pods") await servePods(Number(secondsText));
else await measure(Number(role), Number(secondsText));

/** The text is what a server of ours says, with a full partition table. */
async function servePods(count: number): Promise<void> {
  const metrics = createMetrics(SERVER_METRICS, true);
  metrics.set("wscluster_connections", 12_800);
  metrics.add("wscluster_messages_received_total", 1, { type: "pub" });
  metrics.observe("wscluster_publish_seconds", 0.01);
  const table = Array.from(
    { length: PARTITIONS },
    (_, partition) =>
      `${PARTITION_METRICS.connections}{partition="${partition}"} 100\n${PARTITION_METRICS.messages}{partition="${partition}"} 123456\n`,
  );
  const text = `${await metrics.text()}${table.join("")}`;
  const listen = (host: string, port: number): Promise<number> => {
    const server = createServer({ keepAliveTimeout: 30_000 }, (_, response) => {
      response.setHeader("content-type", metrics.contentType);
      response.end(text);
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port }, () => resolve((server.address() as AddressInfo).port));
    });
  };
  const port = await listen(addressOf(0), 0);
  for (let index = 1; index < count; index++) await listen(addressOf(index), port);
  process.send?.({ port, bytes: text.length });
}

/** An address for each pod, so that each has its own connection, as in a cluster. */
function addressOf(index: number): string {
  return `127.1.${Math.floor(index / 250)}.${1 + (index % 250)}`;
}

async function measure(count: number, seconds: number): Promise<void> {
  const child = fork(import.meta.filename, ["pods", String(count)], { execArgv: process.execArgv });
  const { port, bytes } = await new Promise<{ port: number; bytes: number }>((resolve) =>
    child.once("message", (message) => resolve(message as { port: number; bytes: number })),
  );
  const { fetch, close } = createTextFetcher(systemClock);
  const scraper = new Scraper({ clock: systemClock, fetch });
  const targets = Array.from({ length: count }, (_, index) => ({
    uid: `pod-${index}`,
    host: addressOf(index),
    port,
    path: "/metrics",
  }));
  const pods = targets.map(({ uid }) => ({ key: uid, uid, serves: true, going: false, ageMs: 1e6, capacity: 20_000 }));
  scraper.watch("measured", targets);
  // Connections are opened and the code is compiled in the first interval.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const before = { cpu: process.cpuUsage(), counts: scraper.counts, atMs: performance.now() };
  let reduceMs = 0;
  let known = 0;
  const reducing = setInterval(() => {
    const startedMs = performance.now();
    const snapshot = loadSnapshotFor({ nowMs: systemClock.monotonicMs(), pods, signals: scraper.signals });
    known = snapshot.pods.filter((pod) => pod.connections.kind === "known" && pod.cpu.kind === "known").length;
    reduceMs = Math.max(reduceMs, performance.now() - startedMs);
  }, 10_000);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  clearInterval(reducing);
  const used = process.cpuUsage(before.cpu);
  const elapsedSeconds = (performance.now() - before.atMs) / 1_000;
  const { scrapes, failures, skipped } = scraper.counts;
  const result = {
    pods: count,
    bytesPerScrape: bytes,
    scrapesPerSecond: Math.round((scrapes - before.counts.scrapes) / elapsedSeconds),
    failures,
    skipped,
    known,
    cores: Math.round((1_000 * (used.user + used.system)) / 1e6 / elapsedSeconds) / 1_000,
    reduceMs: Math.round(reduceMs * 10) / 10,
    rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
  console.log(JSON.stringify(result));
  scraper.stop();
  close();
  child.kill();
}
