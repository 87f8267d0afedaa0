import { afterEach, describe, expect, it } from "vitest";
import { CONTRACT_PATHS, SERVER_METRICS } from "@wscluster/protocol";
import { NO_LIMITS } from "../limits/limits.ts";
import { MemoryStore } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

const scrape = async (one: TestServer) => (await fetch(one.adminUrl + CONTRACT_PATHS.metrics)).text();

/** The text format 0.0.4, strictly: any line that is not of it fails. */
function samplesIn(text: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || /^# (HELP [a-zA-Z_:]\w* .+|TYPE [a-zA-Z_:]\w* (counter|gauge|histogram|summary))$/.test(line))
      continue;
    const match =
      /^([a-zA-Z_:]\w*)(?:\{(\w+="[^"\\]*"(?:,\w+="[^"\\]*")*)\})? (\+Inf|Nan|-?[\d.]+(?:e[+-]?\d+)?)$/.exec(line);
    expect(match, `not a line of the text format: ${line}`).not.toBeNull();
    const labels = [...(match?.[2] ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
    samples.push({ name: match?.[1] ?? "", labels: Object.fromEntries(labels), value: Number(match?.[3]) });
  }
  return samples;
}

/** A conversation in which everything happens that is counted. */
async function eventful(): Promise<TestServer> {
  const store = new MemoryStore();
  const a = await server({ broker: store, settings: { limits: { ...NO_LIMITS, subscriptionsPerSession: 1 } } });
  const b = await server({ broker: store });
  const ann = await connect(a.url);
  ann.hello({ sub: [{ c: "room", from: { epoch: "lost-life", offset: 9 } }] });
  const welcome = await ann.find("welcome");
  await ann.find("gap");
  ann.send({ t: "pub", i: 1, c: "room", s: 1, d: "hi" });
  const { e, o } = await ann.find("pub");
  ann.send({ t: "sub", i: 2, c: "one-too-many" });
  await ann.find("err");
  a.forceMove(welcome.session, b);
  const migrate = await ann.find("migrate");
  const next = await connect(b.url, migrate);
  const resume = { session: welcome.session, secret: welcome.secret ?? "", pos: [["room", e ?? "", o] as const] };
  next.hello({ resume, ticket: migrate.ticket, prepare: true });
  await next.find("ready");
  next.send({ t: "commit", i: 1 });
  await next.find("commit.ok");
  ann.ws.terminate();
  await expect.poll(() => a.pod.registry.all.size).toBe(0);
  const bob = await connect(a.url);
  bob.hello();
  await bob.find("ready");
  const late = await connect(a.url);
  late.hello({ resume: { session: "forgotten", secret: "of long ago", pos: [] } });
  await late.find("ready");
  await fetch(a.url.replace("ws:", "http:"));
  await fetch(a.adminUrl + CONTRACT_PATHS.grants, { method: "POST", body: "{}" });
  return a;
}

/** Levels that are rightly 0 in a calm pod. */
const MAY_BE_ZERO: ReadonlySet<string> = new Set([
  "wscluster_connections_idle",
  "wscluster_queue_bytes",
  "wscluster_admission_waiting",
  "wscluster_event_loop_lag_seconds",
  "wscluster_cpu_cores",
  "wscluster_pressure_ratio",
  "wscluster_config_generation",
]);

/** Said only once a channel was busy for seconds (busy-channels.test.ts), gathers (hub/blocks.test.ts), somebody reads too slowly
 * (slow-readers.test.ts), or back ends publish to a Redis channel (ingest/). */
const LATER: ReadonlySet<string> = new Set([
  "wscluster_channel_deliveries_per_second",
  "wscluster_delivery_failures_total",
  "wscluster_block_saved_bytes_total",
  "wscluster_ingest_messages_total",
  "wscluster_ingest_waiting",
]);

const byText = (a: unknown, b: unknown): number => String(a).localeCompare(String(b));

describe("the metrics", () => {
  it("are those of the table, each exposed and each measured", async () => {
    const samples = samplesIn(await scrape(await eventful()));
    const own = samples.filter(({ name }) => name.startsWith("wscluster_"));
    const rowOf = (name: string) => (name in SERVER_METRICS ? name : name.replace(/_(bucket|sum|count)$/, ""));
    expect(new Set([...own.map(({ name }) => rowOf(name)), ...LATER])).toEqual(new Set(Object.keys(SERVER_METRICS)));
    const silent = Object.keys(SERVER_METRICS).filter(
      (row) =>
        !LATER.has(row) && !MAY_BE_ZERO.has(row) && !own.some(({ name, value }) => rowOf(name) === row && value > 0),
    );
    expect(silent).toEqual([]);
  });

  it("have the labels of the table and no others", async () => {
    const samples = samplesIn(await scrape(await eventful()));
    for (const [row, { labels = [] }] of Object.entries(
      SERVER_METRICS as Readonly<Record<string, { labels?: readonly string[] }>>,
    )) {
      const used = new Set(samples.filter(({ name }) => name === row).flatMap((sample) => Object.keys(sample.labels)));
      expect([row, [...used].sort()]).toEqual([
        row,
        [...(row in SERVER_METRICS && used.size > 0 ? labels : [])].sort(),
      ]);
    }
  });

  it("count bytes once, also of sockets that are gone", async () => {
    const a = await server();
    const bytes = async () => {
      const samples = samplesIn(await scrape(a));
      const valueOf = (row: string) => samples.find(({ name }) => name === row)?.value ?? 0;
      return [valueOf("wscluster_received_bytes_total"), valueOf("wscluster_sent_bytes_total")] as const;
    };
    const client = await connect(a.url);
    client.hello();
    await client.find("ready");
    const [receivedOpen, sentOpen] = await bytes();
    expect(receivedOpen).toBeGreaterThan(200);
    expect(sentOpen).toBeGreaterThan(200);
    client.close();
    await client.closed;
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
    const [receivedGone, sentGone] = await bytes();
    expect(receivedGone - receivedOpen).toBeGreaterThanOrEqual(0);
    expect(receivedGone - receivedOpen).toBeLessThan(50);
    expect(sentGone - sentOpen).toBeLessThan(50);
    expect(await bytes()).toEqual([receivedGone, sentGone]);
  });

  it("tell errors by kind", async () => {
    const a = await server({ helloDeadlineMs: 50 });
    const [silent, broken, wrong] = [await connect(a.url), await connect(a.url), await connect(a.url)];
    broken.ws.terminate();
    wrong.ws.send("{");
    await Promise.all([silent.closed, wrong.closed]);
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
    const errors = samplesIn(await scrape(a)).filter(({ name }) => name === "wscluster_errors_total");
    expect(errors.map(({ labels, value }) => [labels["kind"], labels["code"], value]).sort(byText)).toEqual([
      ["connection", "1006", 1],
      ["message", "4000", 1],
      ["timeout", "4003", 1],
    ]);
  });
});
