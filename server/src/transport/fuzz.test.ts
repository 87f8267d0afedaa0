import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { closeCodeOf } from "@wscluster/protocol";
import { decodeText } from "../session/decode.ts";
import type { TestServer } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";
import { RawPeer, clientFrame, textOf } from "./testing/raw-peer.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

const hello = { t: "hello", producer: { id: "p", gen: 1 }, caps: [] };
const FIN_TEXT = 0x81;

/** Close codes of RFC 6455 section 7.4.1 for each way of breaking section 5; and ours. */
const BROKEN: readonly (readonly [code: number, what: string, bytes: Buffer])[] = [
  [1_002, "no mask", clientFrame(FIN_TEXT, "{}", { masked: false })],
  [1_002, "RSV1 without an extension", clientFrame(0xc1, "{}")],
  [1_002, "RSV2", clientFrame(0xa1, "{}")],
  [1_002, "RSV3", clientFrame(0x91, "{}")],
  [1_002, "reserved opcode 3", clientFrame(0x83, "{}")],
  [1_002, "reserved control opcode 11", clientFrame(0x8b, "")],
  [1_002, "ping in fragments", clientFrame(0x09, "")],
  [1_002, "long ping", clientFrame(0x89, "x".repeat(126))],
  [1_002, "continuation of nothing", clientFrame(0x80, "{}")],
  [1_002, "text inside a text", Buffer.concat([clientFrame(0x01, "{"), clientFrame(FIN_TEXT, "}")])],
  [1_002, "close with one byte", clientFrame(0x88, "x")],
  [1_002, "close with a code that nobody may send", clientFrame(0x88, Buffer.from([3, 0xed]))],
  [1_007, "text that is no UTF-8", clientFrame(FIN_TEXT, Buffer.from([0xc3, 0x28]))],
  [
    1_007,
    "UTF-8 broken across fragments",
    Buffer.concat([clientFrame(0x01, Buffer.from([0xc3])), clientFrame(0x80, "x")]),
  ],
  [1_007, "close reason that is no UTF-8", clientFrame(0x88, Buffer.from([3, 0xe8, 0xff]))],
  [
    1_008,
    "thousands of empty fragments",
    Buffer.concat([clientFrame(0x01, ""), ...Array<Buffer>(1_100).fill(clientFrame(0, ""))]),
  ],
  [1_009, "a length above the limit", Buffer.from([FIN_TEXT, 0xff, 0, 0, 0, 0, 0, 1, 0, 1])],
  [1_009, "a length above 2^53", Buffer.from([FIN_TEXT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  [
    1_009,
    "fragments that add up above it",
    Buffer.concat([clientFrame(0x01, "x".repeat(40_000)), clientFrame(0x80, "x".repeat(40_000))]),
  ],
  [4_000, "binary", clientFrame(0x82, "{}")],
  [4_000, "empty text", clientFrame(FIN_TEXT, "")],
  [4_000, "no JSON", clientFrame(FIN_TEXT, '{"t":')],
  [4_000, "deep nesting", clientFrame(FIN_TEXT, "[".repeat(60_000))],
  [4_000, "something before hello", textOf({ t: "ping", i: 1 })],
  [4_000, "a second hello", Buffer.concat([textOf(hello), textOf(hello)])],
];

describe("broken frames", () => {
  it("close with the code for it, alone and behind a good one, and the pod goes on", async () => {
    const a = await server();
    for (const [code, what, bytes] of BROKEN) {
      const peer = await RawPeer.open(a.pod.port);
      peer.send(bytes);
      expect([what, await peer.closed]).toEqual([what, code]);
      if (what.endsWith("hello")) continue;
      const ready = await RawPeer.open(a.pod.port);
      ready.send(textOf(hello), textOf({ t: "ping", i: 7 }), bytes);
      expect([what, await ready.closed]).toEqual([what, code]);
    }
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
    (await connect(a.url)).hello();
    await expect.poll(() => a.sessions().length).toBe(1);
  });

  it("that end in the middle leave nothing behind", async () => {
    const a = await server();
    const bytes = Buffer.concat([textOf(hello), textOf({ t: "sub", i: 1, c: "room" })]);
    for (let cut = 0; cut <= bytes.length; cut += 3) {
      const peer = await RawPeer.open(a.pod.port);
      peer.send(bytes.subarray(0, cut));
      peer.tcp.resetAndDestroy();
    }
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
    expect(a.sessions()).toEqual([]);
    expect(usersIn(a)).toBe(0);
  });

  it("of random bytes never bring the pod down", async () => {
    const a = await server({ helloDeadlineMs: 200 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), async (parts) => {
        const peer = await RawPeer.open(a.pod.port);
        for (const part of parts) peer.send(Buffer.from(part));
        peer.tcp.end();
        expect([1_000, 1_002, 1_005, 1_006, 1_007, 1_009, 4_000, 4_003]).toContain(await peer.closed);
      }),
      { numRuns: 150 },
    );
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
  });
});

describe("joined writes", () => {
  it("mean the same wherever they are split", async () => {
    const a = await server();
    const peer = await RawPeer.open(a.pod.port);
    peer.send(textOf(hello));
    await expect.poll(() => peer.texts.some((text) => text.includes('"ready"'))).toBe(true);
    const joined = (i: number) =>
      Buffer.concat([
        textOf({ t: "ping", i }),
        clientFrame(0x01, `{"t":"pi`),
        clientFrame(0x89, "between"),
        clientFrame(0x80, `ng","i":${i + 1}}`),
        clientFrame(
          FIN_TEXT,
          JSON.stringify([
            { t: "ping", i: i + 2 },
            { t: "fetch", i: i + 3, c: "é€😀" },
          ]),
        ),
      ]);
    const size = joined(1_000).length;
    for (let at = 1; at < size; at += 1) {
      const first = 1_000 + at * 4;
      const bytes = joined(first);
      peer.texts.length = 0;
      peer.send(bytes.subarray(0, at));
      await turn();
      peer.send(bytes.subarray(at));
      await expect.poll(() => peer.texts.filter((text) => text.startsWith("{")).length, { interval: 1 }).toBe(4);
      expect(
        peer.texts.filter((text) => text.startsWith("{")).map((text) => (JSON.parse(text) as { i: number }).i),
      ).toEqual([0, 1, 2, 3].map((n) => first + n));
      expect(peer.texts).toContain("between");
    }
    peer.tcp.destroy();
  });
});

describe("the decoder", () => {
  const anyJson = fc.jsonValue({ maxDepth: 4 });
  const types = [
    "hello",
    "sub",
    "unsub",
    "pub",
    "pub.ephemeral",
    "fetch",
    "commit",
    "ping",
    "pong",
    "migrate.fail",
    "x",
    "__proto__",
  ];
  const nearFrame = fc.dictionary(
    fc.constantFrom(
      "i",
      "c",
      "s",
      "d",
      "from",
      "n",
      "id",
      "producer",
      "caps",
      "sub",
      "resume",
      "ticket",
      "prepare",
      "user",
      "token",
    ),
    fc.oneof(anyJson, fc.constantFrom(0, -1, 1.5, 2 ** 53, "", "room", { epoch: "e", offset: 1 }, { id: "p", gen: 1 })),
  );
  const frame = fc.tuple(fc.constantFrom(...types), nearFrame).map(([t, rest]) => ({ t, ...rest }));

  it("throws at nothing, and cuts payloads out that are valid JSON", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          anyJson.map((value) => JSON.stringify(value)),
          frame.map((one) => JSON.stringify(one)),
          fc.array(frame).map((all) => JSON.stringify(all)),
        ),
        (text) => {
          const decoded = decodeText(text);
          for (const one of decoded.ok ? decoded.frames : []) {
            if (one.ok && one.data !== "")
              expect(JSON.parse(one.data)).toEqual("d" in one.frame ? one.frame.d : undefined);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("and what follows it answer any hello with welcome, an error or a close that the table names", async () => {
    const a = await server();
    await fc.assert(
      fc.asyncProperty(nearFrame, fc.array(frame, { maxLength: 4 }), async (first, rest) => {
        const peer = await RawPeer.open(a.pod.port);
        peer.send(textOf({ ...hello, ...first, t: "hello" }), ...rest.map(textOf), textOf({ t: "ping", i: 99 }));
        let isClosed = false;
        const closed = peer.closed.then(() => {
          isClosed = true;
        });
        const seen = () => peer.texts.some((text) => text.includes('"pong"') || text.includes('"err"'));
        await expect.poll(() => isClosed || seen(), { interval: 1 }).toBe(true);
        peer.tcp.end();
        await closed;
        const code = await peer.closed;
        expect([1_005, 1_006].includes(code) || closeCodeOf(code) !== undefined).toBe(true);
      }),
      { numRuns: 150 },
    );
    await expect.poll(() => a.pod.registry.all.size).toBe(0);
    expect(usersIn(a)).toBe(0);
  });
});

/** Subscriptions, but for the pod's own to its orders. */
function usersIn({ pod }: TestServer): number {
  const channels = [...pod.hub.channels.values()].filter(({ stream }) => !stream.startsWith("/~"));
  return channels.reduce((sum, { size }) => sum + size, 0);
}
