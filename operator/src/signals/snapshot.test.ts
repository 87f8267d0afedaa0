import fc from "fast-check";
import { createMetrics } from "@wscluster/platform";
import { SERVER_METRICS } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import { parseExposition } from "./exposition.ts";
import { nextPodSignal, type PodSignal } from "./pod-signal.ts";
import { readingOf, SCRAPED_METRICS } from "./reading.ts";
import { loadSnapshotFor, type PodIdentity } from "./snapshot.ts";

const pod = (key: string, rest: Partial<PodIdentity> = {}): PodIdentity => ({
  key,
  uid: `uid-${key}`,
  serves: true,
  going: false,
  ageMs: 600_000,
  capacity: 1_000,
  ...rest,
});
const readText = (text: string) => readingOf(parseExposition(text, { wanted: SCRAPED_METRICS }));
const scraped = (text: string, atMs: number, before?: PodSignal) =>
  nextPodSignal(before, { ok: true, reading: readText(text), problems: 0 }, atMs);
const body = (connections: string | number, cpu = 1, start = 100) =>
  `wscluster_connections ${connections}\nwscluster_deliveries_total ${cpu * 100}\nprocess_cpu_seconds_total ${cpu}\nprocess_start_time_seconds ${start}\n`;
const snapshotOf = (signal: PodSignal | undefined, nowMs: number, rest: Partial<PodIdentity> = {}) => {
  const one = pod("a", rest);
  const signals = new Map(signal === undefined ? [] : [[one.uid, signal]]);
  const [load] = loadSnapshotFor({ nowMs, pods: [one], signals }).pods;
  if (load === undefined) throw new Error("no pod");
  return load;
};

describe("readingOf", () => {
  it("reads what a server of ours says", async () => {
    const metrics = createMetrics(SERVER_METRICS, true);
    metrics.set("wscluster_connections", 42);
    metrics.add("wscluster_messages_received_total", 5, { type: "pub" });
    metrics.add("wscluster_messages_received_total", 2, { type: "sub" });
    metrics.add("wscluster_deliveries_total", 10);
    metrics.observe("wscluster_publish_seconds", 0.02);
    const reading = readText(await metrics.text());
    expect(reading).toMatchObject({ connections: 42, messagesTotal: 17, publishesTotal: 1, publishSecondsTotal: 0.02 });
    expect(reading.memoryBytes).toBeGreaterThan(1_000_000);
    expect(reading.boot).toMatch(/^\d/);
  });

  it.each(["-1", "NaN", "+Inf", "1e300", "x"])("does not believe %s connections", (value) => {
    expect(readText(body(value)).connections).toBeUndefined();
    expect(readText(body(value)).cpuSecondsTotal).toBe(1);
  });

  it("has no partition table where one line of it is bad, repeated or out of range", () => {
    const line = (partition: string, count: string | number) =>
      `wscluster_partition_connections{partition="${partition}"} ${count}\n`;
    expect(readText(line("3", 7) + line("127", 1)).partitions?.[3]).toBe(7);
    expect(readText(line("3", 7)).partitions).toHaveLength(128);
    for (const bad of [
      line("128", 1),
      line("-1", 1),
      line("", 1),
      line("4", "NaN"),
      line("3", 1),
      line("03", 1),
      line("4", "-1"),
    ]) {
      expect(readText(line("3", 7) + bad).partitions).toBeUndefined();
    }
    expect(readText("").partitions).toBeUndefined();
  });
});

describe("loadSnapshotFor", () => {
  it("knows levels after one scrape and rates after two", () => {
    const first = scraped(body(10, 1), 0);
    expect(snapshotOf(first, 1_000).connections).toEqual({ kind: "known", value: 10, ageMs: 1_000 });
    expect(snapshotOf(first, 1_000).cpu.kind).toBe("unknown");
    const second = scraped(body(11, 6), 10_000, first);
    expect(snapshotOf(second, 10_000)).toMatchObject({ cpu: { value: 0.5 }, messagesPerSecond: { value: 50 } });
  });

  it("says unknown, and why, instead of a number", () => {
    const why = (signal: PodSignal | undefined, nowMs: number, rest: Partial<PodIdentity> = {}) => {
      const { connections } = snapshotOf(signal, nowMs, rest);
      return connections.kind === "unknown" ? connections.why : connections.value;
    };
    expect(why(undefined, 0)).toMatch(/not been scraped/);
    expect(why(nextPodSignal(undefined, { ok: false, why: "ECONNREFUSED" }, 0), 0)).toBe("ECONNREFUSED");
    const good = scraped(body(10), 0);
    const failed = nextPodSignal(good, { ok: false, why: "no full answer" }, 10_000);
    // One lost scrape ages what is known; it does not erase it.
    expect(why(failed, 20_000)).toBe(10);
    expect(why(failed, 30_000)).toMatch(/30 s old: no full answer/);
    expect(why(scraped(body(2_001), 0), 0)).toMatch(/takes 1000/);
    expect(why(scraped(body(10.5), 0), 0)).toMatch(/no whole number/);
    expect(why(scraped(body(900), 0), 0, { witnessed: 100 })).toMatch(/edge counts 100/);
    expect(why(scraped(body(120), 0), 0, { witnessed: 100 })).toBe(120);
  });

  it("has no rate over a restart", () => {
    const before = scraped(body(10, 50, 100), 0);
    const after = scraped(body(3, 60, 200), 10_000, before);
    expect(snapshotOf(after, 10_000).cpu).toEqual({ kind: "unknown", why: "it restarted since the scrape before" });
    expect(snapshotOf(after, 10_000).connections).toMatchObject({ value: 3 });
  });

  it("does not use a partition table that describes something else", () => {
    const text = `${body(500)}wscluster_partition_connections{partition="1"} 20\n`;
    expect(snapshotOf(scraped(text, 0), 0).slices.kind).toBe("unknown");
    const table = Array.from({ length: 128 }, (_, index) => (index < 100 ? 5 : 0));
    expect(snapshotOf(scraped(body(500), 0), 0, { partitions: table }).slices).toMatchObject({ kind: "known" });
  });

  it("is the same for any order of pods, and finite and not negative whatever they say", () => {
    const word = fc.oneof(fc.double().map(String), fc.constantFrom("NaN", "-1", "1e308", "+Inf", "17", "x"));
    const wild = fc
      .array(word, { minLength: 4, maxLength: 4 })
      .map(
        ([a, b, c, d]) =>
          `wscluster_connections ${a}\nwscluster_deliveries_total ${b}\nprocess_cpu_seconds_total ${c}\nprocess_resident_memory_bytes ${d}\n`,
      );
    fc.assert(
      fc.property(fc.array(fc.tuple(wild, wild), { minLength: 1, maxLength: 6 }), (texts) => {
        const pods = texts.map((_, index) => pod(`p${index}`));
        const signals = new Map(
          texts.map(([first, second], index) => [`uid-p${index}`, scraped(second, 10_000, scraped(first, 0))]),
        );
        const snapshot = loadSnapshotFor({ nowMs: 12_000, pods, signals });
        expect(loadSnapshotFor({ nowMs: 12_000, pods: pods.toReversed(), signals })).toEqual(snapshot);
        for (const { connections, cpu, memoryBytes, messagesPerSecond } of snapshot.pods) {
          for (const one of [connections, cpu, memoryBytes, messagesPerSecond]) {
            if (one.kind === "known") expect(one.value >= 0 && Number.isFinite(one.value)).toBe(true);
          }
        }
      }),
      { numRuns: 200, seed: 13 },
    );
  });
});
