import { afterEach, describe, expect, it } from "vitest";
import type { ServerFrame } from "@wscluster/protocol";
import { DEFAULT_POLICY, INBOX_POLICY, historyOf } from "../broker/port.ts";
import { createStage } from "../testing/stage.ts";
import type { Namespace } from "./namespaces.ts";
import { PLAIN_TRAITS, traitsFor } from "./namespaces.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

const named = (change: Partial<Namespace>): Namespace => ({ names: ["*"], ...PLAIN_TRAITS, ...change });

describe("the traits of a channel", () => {
  it("are those of the first namespace that fits its name", () => {
    const namespaces = [
      named({ names: ["price.*", "quote.*.last"], conflateMs: 5 }),
      named({ names: ["alarm"], priority: "critical" }),
    ];
    const conflated = ["price.", "price.eur", "quote.a.b.last", "price", "a.price.b", "quote.last", "quote..last"];
    expect(conflated.map((name) => traitsFor(namespaces, name).conflateMs)).toEqual([5, 5, 5, 0, 0, 0, 5]);
    expect(traitsFor(namespaces, "alarm").priority).toBe("critical");
    expect(traitsFor(namespaces, "alarms")).toEqual(PLAIN_TRAITS);
    expect(traitsFor(undefined, "alarm")).toEqual(PLAIN_TRAITS);
    expect(traitsFor([named({ names: ["*a*a*"], conflateMs: 1 })], "a").conflateMs).toBe(0);
    expect(traitsFor([named({ names: ["a*a"], conflateMs: 1 })], "a").conflateMs).toBe(0);
  });

  it("are found in time that names cannot blow up", () => {
    const startedMs = performance.now();
    traitsFor([named({ names: [`${"*a".repeat(100)}b`] })], "a".repeat(10_000));
    expect(performance.now() - startedMs).toBeLessThan(200);
  });
});

describe("the history of a channel", () => {
  it("is that of its namespace; of inboxes and reserved streams it never is", () => {
    const history = { maxLength: 2, ttlMs: 1_000_000 };
    const policy = { ...DEFAULT_POLICY, namespaces: [named({ names: ["log.*", "~*"], history })] };
    expect(historyOf(policy, "acme/log.a")).toEqual(history);
    for (const stream of ["acme/room", "acme/~me/ann", "/~orders"])
      expect(historyOf(policy, stream)).toEqual(DEFAULT_POLICY.history);
    expect(historyOf(policy, "acme/~user/ann")).toEqual(INBOX_POLICY);
    const first = [named({ names: ["log.*"] }), named({ names: ["*"], history })];
    expect(historyOf({ ...policy, namespaces: first }, "acme/log.a")).toEqual(DEFAULT_POLICY.history);
  });

  it("is what a client can read again", async () => {
    const namespaces = [named({ names: ["log.*"], history: { maxLength: 2, ttlMs: 300_000 } })];
    const { pod } = await server({ settings: { namespaces } });
    for (const id of ["log.a", "room"])
      for (const n of [1, 2, 3]) await pod.publisher.publish({ type: "channel", id }, n);
    const kept = async (stream: string) =>
      (await pod.services.broker.read(stream, 0, 10)).items.map((one) => one.offset);
    expect([await kept("default/log.a"), await kept("default/room")]).toEqual([
      [2, 3],
      [1, 2, 3],
    ]);
  });
});

describe("a conflated channel", () => {
  const isOf = (frame: ServerFrame, t: "pub" | "gap") => frame.t === t && "c" in frame && frame.c === "price";

  async function trading(conflateMs: number) {
    const namespaces = [named({ names: ["price"], conflateMs })];
    const a = await server({ settings: { namespaces } });
    const [writer, reader] = [await connect(a.url), await connect(a.url)];
    for (const client of [writer, reader]) {
      client.hello({ sub: [{ c: client === reader ? "price" : "other" }] });
      await client.find("ready");
    }
    let seq = 0;
    const publish = async (channel: string) => {
      seq += 1;
      writer.send({ t: "pub", i: seq, c: channel, s: channel === "price" ? seq : 1, d: seq });
      await writer.find("pub.ok", ({ i }) => i === seq);
    };
    return { a, reader, publish };
  }

  it("brings the newest value at its cadence and says what it left out, so that the positions stay true", async () => {
    const { reader, publish } = await trading(400);
    for (let n = 0; n < 6; n += 1) await publish("price");
    await reader.find("pub", ({ o }) => o === 6);
    const frames = reader.frames.filter((frame) => isOf(frame, "pub") || isOf(frame, "gap"));
    // The first one came at once.
    let cursor = 0;
    for (const frame of frames) {
      if (frame.t === "gap") {
        expect([frame.from, frame.why]).toEqual([cursor, "conflated"]);
        cursor = frame.to;
      } else if (frame.t === "pub") {
        expect(frame.o).toBe(cursor + 1);
        cursor = frame.o;
      }
    }
    expect(cursor).toBe(6);
    expect(frames.filter(({ t }) => t === "pub").length).toBeLessThan(6);
  });

  it("gives one that comes back the newest value alone", async () => {
    const { a, reader, publish } = await trading(50);
    for (let n = 0; n < 6; n += 1) await publish("price");
    await reader.find("pub", ({ o }) => o === 6);
    const first = reader.frames.find((frame) => frame.t === "sub.ok");
    const late = await connect(a.url);
    late.hello({ sub: [{ c: "price", from: { epoch: first?.t === "sub.ok" ? first.e : "", offset: 1 } }] });
    await late.find("ready");
    const frames = late.frames.filter((frame) => isOf(frame, "pub") || isOf(frame, "gap"));
    expect(frames).toMatchObject([
      { t: "gap", from: 1, to: 5, why: "conflated" },
      { t: "pub", o: 6 },
    ]);
  });

  it("costs other channels nothing", async () => {
    const { publish, reader } = await trading(60_000);
    reader.send({ t: "sub", i: 9, c: "news" });
    await reader.find("sub.ok", ({ c }) => c === "news");
    await publish("price");
    await publish("news");
    await reader.find("pub", ({ c }) => c === "news");
  });
});
