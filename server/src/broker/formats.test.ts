// Formats that outlive a version: a change here is a change of data in production.

import { describe, expect, it } from "vitest";
import { receiptField, receiptTotals } from "./receipt-totals.ts";
import { ephemeralMessage, ephemeralOf, publicationOf } from "./redis/stored-message.ts";
import { fnv1a, keysFor, slotOf } from "./slots.ts";

describe("keys", () => {
  it("hash with FNV-1a over UTF-8 into 64 tags", () => {
    expect([fnv1a(""), fnv1a("a"), fnv1a("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
    expect(slotOf("default/room")).toBe(fnv1a("default/room") % 64);
  });

  it("keep everything of one stream or session on one tag", () => {
    const keys = keysFor("wsc");
    const tag = `{s${String(slotOf("t/é")).padStart(2, "0")}}`;
    expect([keys.meta("t/é"), keys.stream("t/é"), keys.channel("t/é")]).toEqual([
      `wsc:${tag}:m:t/é`,
      `wsc:${tag}:x:t/é`,
      `wsc:${tag}:c:t/é`,
    ]);
    expect(keys.seq(7)).toBe("wsc:{s07}:seq");
    expect([keys.recent(7), keys.receipts(7)]).toEqual(["wsc:{s07}:recent", "wsc:{s07}:rcpt"]);
    expect([keys.pods(), keys.pod("k")]).toEqual(["wsc:pods", "wsc:pod:k"]);
  });
});

describe("stored publications", () => {
  it("are read back, with spaces and line breaks where they may be", () => {
    const message = Buffer.from('1 42 ab12 1700000000000001 - 0 "an n\\né"\n{"a":\n1}');
    expect(publicationOf("t/r", message)).toEqual({
      stream: "t/r",
      epoch: "ab12",
      offset: 42,
      ts: 1_700_000_000_000_001,
      user: "an n\né",
      data: Buffer.from('{"a":\n1}'),
    });
  });

  it("say where the life before ended", () => {
    const prevOf = (text: string) => publicationOf("s", Buffer.from(text))?.prev;
    expect(prevOf('1 91 e2 5 e1 90 "u"\n1')).toEqual({ epoch: "e1", offset: 90 });
    expect(prevOf('1 1 e1 5 = 0 "u"\n1')).toEqual({ epoch: "", offset: 0 });
  });

  it("of another format are left alone", () => {
    for (const text of ["", "2 1 e 1 - 0 x\n1", "1 x", ephemeralMessage("u", "1")]) {
      expect(publicationOf("s", Buffer.from(text))).toBeUndefined();
    }
  });
});

describe("ephemeral messages", () => {
  it("are read back", () => {
    const read = ephemeralOf(Buffer.from(ephemeralMessage("a b", "[1,\n2]")));
    expect([read?.user, read?.data.toString()]).toEqual(["a b", "[1,\n2]"]);
    expect(ephemeralOf(Buffer.from('1 1 e 1 - 0 "u"\n1'))).toBeUndefined();
  });
});

describe("receipts", () => {
  it("sum over sources, and what a later version counts is left out", () => {
    const of = (intent: string, source: string) => ({ intent, source });
    expect(
      receiptTotals([
        [receiptField(of("rollout/a/1", "p1"), "moved"), 2],
        [receiptField(of("rollout/a/1", "p2"), "moved"), 3],
        [receiptField(of("evacuate/x", "p1"), "cut"), 1],
        ["rollout/a/1|p1|teleported", 9],
        ["nonsense", 1],
      ]),
    ).toEqual({
      "rollout/a/1": { offered: 0, moved: 5, resumed: 0, refused: 0, late: 0, cut: 0, unknown: 0 },
      "evacuate/x": { offered: 0, moved: 0, resumed: 0, refused: 0, late: 0, cut: 1, unknown: 0 },
    });
  });
});
