import type { Position } from "@wscluster/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cursorAt, judgeDiverged, judgeGap, judgePublication } from "./cursor.ts";
import { Diagnostics } from "./events.ts";
import type { Source } from "./subscriptions.ts";
import { Subscriptions } from "./subscriptions.ts";

const feed = (epoch: string, offset = 0) => ({ epoch, offset });

describe("a publication", () => {
  const cursor = { epoch: "e2", offset: 10, dead: ["dead"], past: ["e1"] };
  it.each([
    ["the next one", feed("e2"), { o: 11 }, "deliver"],
    ["the next one, first of a new life", feed("e2"), { o: 11, e: "e3" }, "deliver"],
    ["one that was had", feed("e2"), { o: 10 }, "stale"],
    ["one of an older life, replayed", feed("e1"), { o: 5, e: "e2" }, "stale"],
    ["one of a dead life", feed("dead"), { o: 11 }, "stale"],
    ["the next one, of a life that nobody knows to follow", feed("e9"), { o: 11, e: "e10" }, "hole"],
    ["the first of a life that we went through", feed("e2"), { o: 3, e: "e1" }, "stale"],
    ["one too far", feed("e2"), { o: 12 }, "hole"],
    ["the first of a new life that began below us", feed("e2"), { o: 8, e: "e3" }, "forked"],
  ])("%s", (_, from, pub, kind) => {
    expect(judgePublication(cursor, from, pub).kind).toBe(kind);
  });
});

describe("a gap", () => {
  const cursor = cursorAt({ epoch: "e1", offset: 10 });
  it("of what was had is none", () => {
    expect(judgeGap(cursor, feed("e1"), { e: "e1", to: 10, why: "history-expired" })).toEqual({ kind: "stale" });
  });
  it("is told from where the application is", () => {
    expect(judgeGap(cursor, feed("e1"), { e: "e1", to: 12, why: "history-expired" })).toMatchObject({
      from: 10,
      to: 12,
    });
  });
  it("of a stream that was lost may lead below", () => {
    const verdict = judgeGap(cursor, feed("e1"), { e: "e9", to: 3, why: "stream-lost" });
    expect(verdict).toMatchObject({ kind: "gap", cursor: { epoch: "e9", offset: 3, dead: ["e1"] } });
  });
});

describe("a divergence", () => {
  const cursor = cursorAt({ epoch: "e1", offset: 10 });
  it("concerns only who saw what was lost", () => {
    expect(judgeDiverged(cursor, { e: "e2", o: 10, prev: { epoch: "e1", offset: 10 } }).kind).toBe("stale");
    const verdict = judgeDiverged(cursor, { e: "e2", o: 8, prev: { epoch: "e1", offset: 8 } });
    expect(verdict).toMatchObject({ kind: "diverged", cursor: { epoch: "e2", offset: 8, dead: ["e1"] } });
  });
});

// A stream with lives: each life keeps a prefix of the one before and goes on from there.
type Entry = { readonly o: number; readonly e: string; readonly first: boolean };
type Op =
  | { kind: "append" }
  | { kind: "failover"; lose: number }
  | { kind: "read"; feed: number; n: number }
  | { kind: "join" };

describe("two sockets that follow one stream, one ahead or behind, through benign and lossy failovers", () => {
  const op: fc.Arbitrary<Op> = fc.oneof(
    { weight: 6, arbitrary: fc.constant({ kind: "append" as const }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("failover" as const), lose: fc.integer({ min: 0, max: 3 }) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("read" as const),
        feed: fc.integer({ min: 0, max: 1 }),
        n: fc.integer({ min: 1, max: 5 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "join" as const }) },
  );

  it("never give the application a repetition, a swap or a silent fork", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { maxLength: 80 }), async (ops) => {
        let born = 1;
        // Of each life that the store knows: where it began. A failover forgets those of which nothing is left.
        let lives = [{ e: "e1", start: 1 }];
        const current = () => lives.at(-1)?.e ?? "";
        let log: Entry[] = [{ o: 1, e: "e1", first: true }];
        let seen: string[] = [];
        const wrong: unknown[] = [];
        // As the server does it: go on, or back to where the position's life ended, or nothing is known of that life.
        const continuationOf = ({ epoch, offset }: { epoch: string; offset: number }) => {
          const at = lives.findIndex((life) => life.e === epoch);
          if (at < 0) return "unknown";
          return Math.min(offset, (lives[at + 1]?.start ?? log.length + 1) - 1);
        };
        const append = () => log.push({ o: log.length + 1, e: current(), first: log.at(-1)?.e !== current() });
        const frameOf = ({ o, e, first }: Entry) => ({
          t: "pub" as const,
          c: "c",
          o,
          p: "u",
          ts: 0,
          d: e,
          ...(first ? { e } : {}),
        });
        const host = {
          sendSubscribe: () => {},
          sendUnsubscribe: () => {},
          fetch: async (_: string, from: { epoch: string; offset: number }) => {
            const after = continuationOf(from);
            const items = log.slice(after === "unknown" ? 0 : after);
            return { e: items[0]?.e ?? current(), items: items.map(frameOf), more: false };
          },
          onLost: () => {},
        };
        const subscriptions = new Subscriptions(host, new Diagnostics(() => 0));
        subscriptions.subscribe("c", {
          from: { epoch: "e1", offset: 0 },
          onMessage: (message) => {
            if (message.offset !== seen.length + 1 || message.data !== message.epoch) wrong.push(message);
            seen.push(message.epoch);
          },
          onDiverged: ({ previous }) => {
            seen = seen.slice(0, previous.offset);
          },
          onGap: ({ to, why }) => {
            if (why === "stream-lost") seen = log.slice(0, to).map((entry) => entry.e);
            else wrong.push(why);
          },
        });
        const readers: (Source & { position: Position })[] = [];
        const join = () => {
          const position = subscriptions.position("c") ?? { epoch: "e1", offset: 0 };
          const reader = { feeds: new Map(), asked: new Map([["c", position]]), position };
          const recovered = continuationOf(position) === position.offset;
          const top = { e: current(), o: log.length };
          subscriptions.receive({ t: "sub.ok", i: 0, c: "c", ...top, recovered }, reader, true);
          readers.push(reader);
          if (!recovered) read(reader);
        };
        const read = (reader: (typeof readers)[number]) => {
          const { position } = reader;
          const after = continuationOf(position);
          const e = current();
          if (after === "unknown") {
            const to = log.length;
            subscriptions.receive({ t: "gap", c: "c", e, from: position.offset, to, why: "stream-lost" }, reader, true);
            reader.position = { epoch: e, offset: to };
          } else if (after < position.offset) {
            const prev = { epoch: position.epoch, offset: after };
            const begins = lives[lives.findIndex((life) => life.e === position.epoch) + 1]?.e ?? e;
            subscriptions.receive({ t: "diverged", c: "c", e: begins, o: after, prev }, reader, true);
            reader.position = { epoch: begins, offset: after };
          } else {
            const next = log[after];
            if (!next) return;
            subscriptions.receive(frameOf(next), reader, true);
            reader.position = { epoch: next.e, offset: next.o };
          }
        };
        join();
        join();
        for (const one of ops) {
          if (one.kind === "append") append();
          else if (one.kind === "failover") {
            // The first message stays: a stream that is lost as a whole begins anew, which is another test.
            log = log.slice(0, Math.max(1, log.length - one.lose));
            born += 1;
            lives = [...lives.filter((life) => life.start <= log.length), { e: `e${born}`, start: log.length + 1 }];
          } else if (one.kind === "join") join();
          else for (let n = 0; n < one.n; n += 1) read(readers.at(one.feed - 2) as (typeof readers)[number]);
          for (let n = 0; n < 4; n += 1) await Promise.resolve();
        }
        for (let extra = 0; extra < 2; extra += 1) {
          append();
          for (let n = 0; n < 200; n += 1) read(readers.at(-1 - (n % 2)) as (typeof readers)[number]);
          for (let n = 0; n < 50; n += 1) await Promise.resolve();
        }
        expect(wrong).toEqual([]);
        expect(seen).toEqual(log.map((entry) => entry.e));
      }),
      { numRuns: 1_000 },
    );
  });
});
