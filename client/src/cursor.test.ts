import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cursorAt, judgeDiverged, judgeGap, judgePublication } from "./cursor.ts";
import { Diagnostics } from "./events.ts";
import type { Feeds } from "./subscriptions.ts";
import { Subscriptions } from "./subscriptions.ts";

const feed = (epoch: string, offset = 0) => ({ epoch, offset, lost: false });

describe("a publication", () => {
  const cursor = cursorAt({ epoch: "e2", offset: 10 }, ["dead"]);
  it.each([
    ["the next one", feed("e2"), { o: 11 }, "deliver"],
    ["the next one, first of a new life", feed("e2"), { o: 11, e: "e3" }, "deliver"],
    ["one that was had", feed("e2"), { o: 10 }, "stale"],
    ["one of an older life, replayed", feed("e1"), { o: 5, e: "e2" }, "stale"],
    ["one of a dead life", feed("dead"), { o: 11 }, "stale"],
    ["one too far", feed("e2"), { o: 12 }, "hole"],
    ["the first of a new life that began below us", feed("e2"), { o: 8, e: "e3" }, "forked"],
  ])("%s", (_, from, pub, kind) => {
    expect(judgePublication(cursor, from, pub).kind).toBe(kind);
  });
});

describe("a gap", () => {
  const cursor = cursorAt({ epoch: "e1", offset: 10 });
  it("of what was had is none", () => {
    expect(judgeGap(cursor, { e: "e1", to: 10, why: "history-expired" })).toEqual({ kind: "stale" });
  });
  it("is told from where the application is", () => {
    expect(judgeGap(cursor, { e: "e1", to: 12, why: "history-expired" })).toMatchObject({ from: 10, to: 12 });
  });
  it("of a stream that was lost may lead below", () => {
    const verdict = judgeGap(cursor, { e: "e9", to: 3, why: "stream-lost" });
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

  it("never give the application a repetition, a swap or a silent fork", () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 80 }), (ops) => {
        let lives = 1;
        let log: Entry[] = [];
        let seen: string[] = [];
        const feeds: { feeds: Feeds; position: { epoch: string; offset: number } }[] = [];
        const host = {
          sendSubscribe: () => {},
          sendUnsubscribe: () => {},
          fetch: () => Promise.reject(new Error("no holes here")),
          onDiverged: () => {},
        };
        const subscriptions = new Subscriptions(host, new Diagnostics(() => 0));
        const wrong: unknown[] = [];
        subscriptions.subscribe("c", {
          from: { epoch: "e1", offset: 0 },
          onMessage: (message) => {
            if (message.offset !== seen.length + 1 || message.data !== message.epoch) wrong.push(message);
            seen.push(message.epoch);
          },
          onDiverged: ({ previous }) => {
            seen = seen.slice(0, previous.offset);
          },
        });
        const join = () => {
          const map: Feeds = new Map();
          const position = subscriptions.position("c") ?? { epoch: "e1", offset: 0 };
          const top = { e: log.at(-1)?.e ?? "e1", o: log.length };
          const sub = { t: "sub.ok" as const, i: 0, c: "c", ...top };
          subscriptions.receive({ ...sub, recovered: true }, map, true, position);
          feeds.push({ feeds: map, position });
        };
        const read = (at: number, n: number) => {
          const reader = feeds.at(at - 2) ?? feeds[0];
          if (!reader) return;
          for (let count = 0; count < n; count += 1) {
            const { position } = reader;
            const here = log[position.offset - 1];
            if (position.offset > 0 && here?.e !== position.epoch) {
              // As the server does it: back to the end of the life that the reader knows, as far as it is kept.
              const kept = log.findLast((entry) => entry.e === position.epoch)?.o ?? 0;
              const fallback = Math.min(kept, position.offset);
              const after = log[fallback];
              const e = after?.e ?? `e${lives}`;
              const prev = { epoch: position.epoch, offset: fallback };
              subscriptions.receive({ t: "diverged", c: "c", e, o: fallback, prev }, reader.feeds, true, undefined);
              reader.position = { epoch: fallback === 0 ? e : (log[fallback - 1]?.e ?? e), offset: fallback };
              continue;
            }
            const next = log[position.offset];
            if (!next) return;
            const frame = {
              t: "pub" as const,
              c: "c",
              o: next.o,
              p: "u",
              ts: 0,
              d: next.e,
              ...(next.first ? { e: next.e } : {}),
            };
            subscriptions.receive(frame, reader.feeds, true, undefined);
            reader.position = { epoch: next.e, offset: next.o };
          }
        };
        log.push({ o: 1, e: "e1", first: true });
        join();
        read(0, 1);
        join();
        for (const one of ops) {
          const e = `e${lives}`;
          if (one.kind === "append") log.push({ o: log.length + 1, e, first: log.at(-1)?.e !== e });
          else if (one.kind === "failover") {
            // The first message stays: a stream that is lost as a whole is told as a gap.
            log = log.slice(0, Math.max(1, log.length - one.lose));
            lives += 1;
          } else if (one.kind === "join") join();
          else read(one.feed, one.n);
        }
        log.push({ o: log.length + 1, e: `e${lives}`, first: log.at(-1)?.e !== `e${lives}` });
        for (let n = 0; n < 200; n += 1) read(n % 2, 1);
        expect(wrong).toEqual([]);
        expect(seen).toEqual(log.map((entry) => entry.e));
      }),
      { numRuns: 1_000 },
    );
  });
});
