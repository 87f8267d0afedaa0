import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Diagnostics } from "./events.ts";
import type { QueueOptions } from "./publisher.ts";
import { Publisher } from "./publisher.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

type Sent = { readonly i: number; readonly c: string; readonly s: number; readonly d: unknown };

function desk(queue: Partial<QueueOptions> = {}) {
  const clock = new VirtualClock();
  const diagnostics = new Diagnostics(() => clock.now());
  const raised: number[] = [];
  let ids = 0;
  const host = {
    nextRequestId: () => (ids += 1),
    onGenerationRaised: ({ gen }: { gen: number }) => void raised.push(gen),
  };
  const settings: QueueOptions = { maxMessages: 1_000, policy: "reject", ...queue };
  const publisher = new Publisher(host, clock, diagnostics, { id: "p", gen: 1 }, settings);
  const outlet = (id: number) => {
    const sent: Sent[] = [];
    publisher.attach({ id, sendText: (text) => void sent.push(JSON.parse(text) as Sent) });
    return sent;
  };
  const ok = (frame: Sent | undefined, o: number, dup = false) => publisher.onStored(frame?.i ?? -1, "e1", o, dup);
  return { clock, diagnostics, raised, publisher, outlet, ok };
}

const order = (sent: readonly Sent[]) => sent.map(({ s, d }) => [s, d]);

describe("a publish", () => {
  it("waits without a connection and goes out numbered per stream", async () => {
    const { publisher, outlet, ok } = desk();
    const a = publisher.publish("x", "a");
    void publisher.publish("y", "b");
    void publisher.publish("x", "c");
    const sent = outlet(1);
    expect(sent.map(({ c, s, d }) => [c, s, d])).toEqual([
      ["x", 1, "a"],
      ["x", 2, "c"],
      ["y", 1, "b"],
    ]);
    ok(sent[0], 7);
    expect(await a).toEqual({ epoch: "e1", offset: 7, dup: false });
  });

  it("is encoded when it is called", () => {
    const { publisher, outlet } = desk();
    const data = { n: 1 };
    void publisher.publish("x", data);
    data.n = 2;
    expect(outlet(1)[0]?.d).toEqual({ n: 1 });
  });

  it("is sent again on the next connection under the same number, in order", () => {
    const { publisher, outlet, ok } = desk();
    const first = outlet(1);
    for (const d of ["a", "b", "c"]) void publisher.publish("x", d);
    ok(first[0], 1);
    publisher.detach(1);
    const second = outlet(2);
    expect(order(second)).toEqual([
      [2, "b"],
      [3, "c"],
    ]);
  });

  it("is sent again when the answer does not come", async () => {
    const { publisher, outlet, clock } = desk();
    const sent = outlet(1);
    void publisher.publish("x", "a");
    await clock.advance(10_500);
    expect(order(sent)).toEqual([
      [1, "a"],
      [1, "a"],
    ]);
  });

  it("waits as long as the server says after a passing refusal", async () => {
    const { publisher, outlet, clock } = desk();
    const sent = outlet(1);
    void publisher.publish("x", "a");
    void publisher.publish("x", "b");
    publisher.onRefused(sent[0]?.i ?? 0, { code: "rate-limited", message: "", afterMs: 3_000 });
    publisher.onRefused(sent[1]?.i ?? 0, { code: "out-of-order", message: "", last: 0 });
    await clock.advance(2_500);
    expect(sent).toHaveLength(2);
    await clock.advance(1_000);
    expect(order(sent.slice(2))).toEqual([
      [1, "a"],
      [2, "b"],
    ]);
  });

  it("that is refused for good rejects, and the next takes its number", async () => {
    const { publisher, outlet } = desk();
    const sent = outlet(1);
    const refused = publisher.publish("x", "a");
    void publisher.publish("x", "b");
    publisher.onRefused(sent[0]?.i ?? 0, { code: "forbidden", message: "no" });
    await expect(refused).rejects.toMatchObject({ code: "refused", wireCode: "forbidden" });
    expect(order(sent.slice(2))).toEqual([[1, "b"]]);
  });

  it.each([
    ["bad-payload", undefined],
    ["bad-payload", 1n],
    ["too-large", "é".repeat(40_000)],
  ])("is rejected with %s before it costs a number", async (code, data) => {
    const { publisher, outlet } = desk();
    await expect(publisher.publish("x", data)).rejects.toMatchObject({ code });
    const sent = outlet(1);
    void publisher.publish("x", "next");
    expect(order(sent)).toEqual([[1, "next"]]);
  });

  it("is taken back by its signal while it is unsent", async () => {
    const { publisher, outlet } = desk();
    const controller = new AbortController();
    const aborted = publisher.publish("x", "a", controller.signal);
    void publisher.publish("x", "b");
    controller.abort(new Error("changed my mind"));
    await expect(aborted).rejects.toThrow("changed my mind");
    expect(order(outlet(1))).toEqual([[1, "b"]]);
  });
});

describe("a full queue", () => {
  it("rejects the newest by default", async () => {
    const { publisher } = desk({ maxMessages: 1 });
    void publisher.publish("x", "a").catch(() => {});
    await expect(publisher.publish("x", "b")).rejects.toMatchObject({ code: "queue-full" });
  });

  it("drops the oldest on request", async () => {
    const { publisher, outlet } = desk({ maxMessages: 1, policy: "drop-oldest" });
    const oldest = publisher.publish("x", "a");
    void publisher.publish("x", "b");
    await expect(oldest).rejects.toMatchObject({ code: "queue-dropped" });
    expect(order(outlet(1))).toEqual([[1, "b"]]);
  });
});

describe("a server that lost or forgot", () => {
  it("gets acknowledged messages again, with their numbers, when the stream diverged", () => {
    const { publisher, outlet, ok, diagnostics } = desk();
    const sent = outlet(1);
    for (const d of ["a", "b", "c"]) void publisher.publish("x", d);
    sent.slice(0, 3).forEach((frame, at) => ok(frame, at + 1));
    publisher.republish("x", { epoch: "e1", offset: 1 }, "e2");
    expect(order(sent.slice(3))).toEqual([
      [2, "b"],
      [3, "c"],
    ]);
    ok(sent[3], 2);
    expect(diagnostics.counters.republished).toBe(1);
  });

  it("gets again what was acknowledged in a life that came and went unseen, and what it has is no loss", () => {
    const { publisher, outlet, ok, diagnostics } = desk();
    const sent = outlet(1);
    for (const d of ["seen", "unseen"]) void publisher.publish("x", d);
    ok(sent[0], 1);
    publisher.onStored(sent[1]?.i ?? 0, "e2", 2, false);
    // The subscriber was told that e3 follows e1: of e2 it never heard.
    publisher.republish("x", { epoch: "e1", offset: 1 }, "e3");
    expect(order(sent.slice(2))).toEqual([[2, "unseen"]]);
    publisher.onStored(sent[2]?.i ?? 0, "e3", 2, true);
    expect(diagnostics.counters.republished).toBe(0);
    publisher.republish("x", { epoch: "e1", offset: 1 }, "e3");
    expect(sent).toHaveLength(3);
  });

  it("gets them also when it only asks for an earlier number", () => {
    const { publisher, outlet, ok } = desk();
    const sent = outlet(1);
    for (const d of ["a", "b", "c"]) void publisher.publish("x", d);
    ok(sent[0], 1);
    ok(sent[1], 2);
    publisher.onRefused(sent[2]?.i ?? 0, { code: "out-of-order", message: "", last: 1 });
    expect(order(sent.slice(3))).toEqual([
      [2, "b"],
      [3, "c"],
    ]);
  });

  it("meets a new generation when what it asks for is not kept any more", async () => {
    const { publisher, outlet, ok, raised, clock } = desk();
    const sent = outlet(1);
    void publisher.publish("x", "old");
    ok(sent[0], 1);
    await clock.advance(31_000);
    void publisher.publish("x", "new");
    void publisher.publish("y", "other");
    publisher.onRefused(sent[1]?.i ?? 0, { code: "out-of-order", message: "", last: 0 });
    // The other stream's answer is awaited first: under a new generation it would be stored twice.
    expect(raised).toEqual([]);
    ok(sent[2], 1);
    expect(raised).toEqual([2]);
    expect(publisher.producer).toEqual({ id: "p", gen: 2 });
    expect(order(outlet(2))).toEqual([[1, "new"]]);
  });

  it("is not fought for ever when another client uses the same producer id", async () => {
    const { publisher, outlet, raised } = desk();
    const publish = publisher.publish("x", "a");
    for (let id = 1; id <= 4; id += 1) {
      const sent = outlet(id);
      publisher.onRefused(sent[0]?.i ?? 0, { code: "fenced", message: "" });
    }
    await expect(publish).rejects.toMatchObject({ wireCode: "fenced" });
    expect(raised).toEqual([2, 3, 4]);
  });
});

describe("exactly once and in order, whatever happens to sockets and answers", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("publish" as const), channel: fc.constantFrom("x", "y") }),
    fc.record({ kind: fc.constant("serve" as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant("answer" as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant("unavailable" as const) }),
    fc.record({ kind: fc.constant("forbid" as const) }),
    fc.record({ kind: fc.constantFrom("cut" as const, "move" as const), lose: fc.boolean() }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 12_000 }) }),
  );

  it("holds for any schedule", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { publisher, clock } = desk();
        const stored = new Map<string, unknown[]>();
        const last = new Map<string, number>();
        const settled = { stored: [] as unknown[], refused: [] as unknown[] };
        let calls = 0;
        let links = 0;
        let inbox: { link: number; frame: Sent }[] = [];
        let answers: { link: number; run: () => void }[] = [];
        const living = new Set<number>();
        const attach = () => {
          const link = (links += 1);
          living.add(link);
          publisher.attach({
            id: link,
            sendText: (text) => void inbox.push({ link, frame: JSON.parse(text) as Sent }),
          });
        };
        const serve = (override?: "unavailable" | "forbidden") => {
          const next = inbox.shift();
          if (!next) return;
          const { link, frame } = next;
          const { c, s, i, d } = frame;
          const top = last.get(c) ?? 0;
          const answer = (run: () => void) => void answers.push({ link, run });
          if (s > top + 1) answer(() => publisher.onRefused(i, { code: "out-of-order", message: "", last: top }));
          else if (s <= top) answer(() => publisher.onStored(i, "e1", 0, true));
          else if (override) answer(() => publisher.onRefused(i, { code: override, message: "" }));
          else {
            last.set(c, s);
            const log = stored.get(c) ?? [];
            stored.set(c, log);
            log.push(d);
            answer(() => publisher.onStored(i, "e1", log.length, false));
          }
        };
        const cut = (link: number, lose: boolean) => {
          // What is on its way may arrive, or not; the answers never do.
          if (!lose) while (inbox.some((item) => item.link === link)) serve();
          inbox = inbox.filter((item) => item.link !== link);
          answers = answers.filter((item) => item.link !== link);
          living.delete(link);
          publisher.detach(link);
        };
        attach();
        for (const one of steps) {
          if (one.kind === "publish") {
            const d = `${one.channel}${(calls += 1)}`;
            publisher.publish(one.channel, d).then(
              () => settled.stored.push(d),
              () => settled.refused.push(d),
            );
          } else if (one.kind === "serve") for (let n = 0; n < one.count; n += 1) serve();
          else if (one.kind === "answer") for (let n = 0; n < one.count; n += 1) answers.shift()?.run();
          else if (one.kind === "unavailable") serve("unavailable");
          else if (one.kind === "forbid") serve("forbidden");
          else if (one.kind === "wait") await clock.advance(one.ms);
          else if (one.kind === "cut") {
            for (const link of [...living]) cut(link, one.lose);
            attach();
          } else {
            // A move: the former socket still answers for a while.
            const former = [...living];
            attach();
            for (const link of former.slice(0, -1)) cut(link, one.lose);
          }
          await Promise.resolve();
        }
        // In the end one socket is left and the network is kind.
        for (const link of [...living].slice(0, -1)) cut(link, false);
        for (let round = 0; round < 200 && publisher.pending > 0; round += 1) {
          while (inbox.length > 0) serve();
          for (const { run } of answers.splice(0)) run();
          await clock.advance(250);
        }
        expect(publisher.pending).toBe(0);
        const number = (d: unknown) => Number(String(d).slice(1));
        for (const [channel, log] of stored) {
          expect(log).toEqual([...new Set(log)]);
          expect(log).toEqual([...log].sort((a, b) => number(a) - number(b)));
          expect(log.every((d) => String(d).startsWith(channel))).toBe(true);
        }
        const all = [...stored.values()].flat();
        expect(new Set(settled.stored)).toEqual(new Set(all));
        expect(settled.stored.length).toBe(all.length);
        expect(all.length + settled.refused.length).toBe(calls);
        publisher.fail(new Error("over") as never);
      }),
      { numRuns: 300 },
    );
  });
});
