import { InMemorySpanExporter } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it } from "vitest";
import { publicationOf, authorText } from "../broker/redis/stored-message.ts";
import { MemoryStore } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";
import { startTracing } from "./otel.ts";
import { traceOf } from "./tracing.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

/** Spans are kept when the tracing ends, which empties an ordinary exporter. */
class KeepingExporter extends InMemorySpanExporter {
  override shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

async function conversation(permille: number) {
  const exporter = new KeepingExporter();
  const tracing = startTracing({ to: exporter, permille, attributes: { "k8s.pod.name": "a" } });
  const store = new MemoryStore();
  const [a, b] = [await server({ broker: store, tracing }), await server({ broker: store, tracing })];
  const [writer, reader] = [await connect(a.url), await connect(b.url)];
  for (const client of [writer, reader]) {
    client.hello({ sub: [{ c: "room" }] });
    await client.find("ready");
  }
  writer.send({ t: "pub", i: 1, c: "room", s: 1, d: "hi" });
  const seen = await Promise.all([writer.find("pub"), reader.find("pub"), writer.find("pub.ok")]);
  await tracing.stop();
  return { spans: exporter.getFinishedSpans(), seen };
}

describe("tracing", () => {
  it("follows a message from its publish through the store to the sockets of each pod", async () => {
    const { spans, seen } = await conversation(1_000);
    const send = spans.find(({ name }) => name === "send default/room");
    const processed = spans.filter(({ name }) => name === "process default/room");
    expect(send?.attributes).toMatchObject({
      "messaging.system": "wscluster",
      "messaging.destination.name": "default/room",
      "messaging.operation.type": "send",
      "wscluster.publish.result": "stored",
    });
    expect(send?.resource.attributes).toMatchObject({ "service.name": "wscluster-server", "k8s.pod.name": "a" });
    const parent = send?.spanContext();
    expect(processed.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([
      parent?.spanId,
      parent?.spanId,
    ]);
    expect(processed.map(({ attributes }) => attributes["wscluster.deliveries"])).toEqual([1, 1]);
    expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(new Set([parent?.traceId]));
    expect(seen.slice(0, 2)).toMatchObject(Array(2).fill({ x: `00-${parent?.traceId}-${parent?.spanId}-01` }));
  });

  it("follows what the server publishes itself", async () => {
    const exporter = new KeepingExporter();
    const tracing = startTracing({ to: exporter, permille: 1_000, attributes: {} });
    const a = await server({ tracing });
    await a.pod.publisher.publish({ type: "channel", id: "news" }, "hi");
    await tracing.stop();
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(["send default/news"]);
  });

  it("leaves no trace of a message that is not sampled", async () => {
    const { spans, seen } = await conversation(0);
    expect(spans).toEqual([]);
    expect(seen[0]).not.toHaveProperty("x");
  });

  it("links the messages of one turn to the span of its delivery", async () => {
    const exporter = new KeepingExporter();
    const tracing = startTracing({ to: exporter, permille: 1_000, attributes: {} });
    const [one, two] = [tracing.send("t/a", 1), tracing.send("t/a", 1)];
    tracing.deliver("t/a", [one?.trace ?? "", "nonsense", two?.trace ?? ""], {
      startedAtMs: 1,
      delivered: 4,
      failed: 1,
    });
    tracing.deliver("t/a", ["nonsense"], { startedAtMs: 1, delivered: 4, failed: 1 });
    two?.end("unavailable");
    await tracing.stop();
    const spans = exporter.getFinishedSpans();
    const process = spans.filter(({ name }) => name === "process t/a");
    expect(process).toHaveLength(1);
    expect(process[0]?.parentSpanContext?.spanId).toBe(traceOf(one?.trace)?.spanId);
    expect(process[0]?.links.map(({ context }) => context.spanId)).toEqual([traceOf(two?.trace)?.spanId]);
    expect(spans.find(({ name }) => name === "send t/a")?.status).toMatchObject({ code: 2, message: "unavailable" });
  });

  it("goes through the store beside the user's name, and only as what it claims to be", () => {
    const trace = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const stored = (author: string) => publicationOf("t/a", Buffer.from(`1 7 ab 9 - 0 ${author}\n"x"`));
    expect(stored(authorText("an n", trace))).toMatchObject({ user: "an n", trace, offset: 7 });
    expect(stored(authorText("ann", undefined))).toMatchObject({ user: "ann" });
    expect(stored(authorText("ann", undefined))).not.toHaveProperty("trace");
    expect(stored(JSON.stringify(["ann", '","evil":"']))).not.toHaveProperty("trace");
  });
});
