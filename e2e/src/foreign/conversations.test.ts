import { readFileSync, readdirSync } from "node:fs";
import { CLIENT_FRAME_ROWS, SERVER_FRAME_ROWS } from "@wscluster/protocol/gen";
import { describe, expect, it } from "vitest";
import { formatConversation, parseConversation, scoreOf } from "./conversation.ts";
import { faultsOf } from "./frame-faults.ts";
import { Placeholders } from "./placeholders.ts";
import { playScore } from "./player.ts";
import { SCORES } from "./scores.ts";

const folder = new URL("../../../docs/protocol/conversations/", import.meta.url);
const files = readdirSync(folder).sort();
const read = (file: string) => readFileSync(new URL(file, folder), "utf8");
const RECORD = "record them again with `node scripts/enter.mjs e2e/src/foreign/main.ts`";

describe("the recorded conversations", () => {
  it("are those of the scores", () => {
    expect(files).toEqual(SCORES.map(({ head }) => `${head.name}.jsonl`));
    for (const { head, score } of SCORES) {
      const conversation = parseConversation(read(`${head.name}.jsonl`));
      expect(conversation.head, RECORD).toEqual(head);
      expect(scoreOf(conversation), RECORD).toEqual(score);
    }
  });

  it.each(files)("%s is what the server says today", async (file) => {
    const text = read(file);
    const conversation = parseConversation(text);
    const today = await playScore(conversation.head, scoreOf(conversation));
    expect(formatConversation(today), RECORD).toBe(text);
  });

  it("hold only frames and fields of the reference", () => {
    const lines = files.flatMap((file) => parseConversation(read(file)).lines);
    const faults = lines.flatMap((line) => {
      if (!("frame" in line)) return [];
      return faultsOf(line.frame.t, line.frame, "client" in line ? CLIENT_FRAME_ROWS : SERVER_FRAME_ROWS);
    });
    expect(faults).toEqual([]);
    expect(lines.length).toBeGreaterThan(100);
  });

  it("fail to play when the server says something else, or more", async () => {
    const [first] = SCORES;
    if (!first) return expect.unreachable();
    const other = first.score.map((step) =>
      "t" in step && step.t === "pong" ? { ...step, t: "ping" as const } : step,
    );
    await expect(playScore(first.head, other)).rejects.toThrow(/should get ping and got/);
    const shorter = first.score.filter((step) => !("t" in step && step.t === "ready"));
    await expect(playScore(first.head, shorter)).rejects.toThrow(/should get pong and got .*ready/);
  });
});

describe("placeholders", () => {
  it("give one name per value and kind, leave payloads alone, and fill the names in again", () => {
    const names = new Placeholders();
    names.bind("POD-A", "feed");
    expect(names.named({ t: "welcome", session: "s9", pod: "feed", d: { session: "s9" } })).toEqual({
      t: "welcome",
      session: "SESSION-1",
      pod: "POD-A",
      d: { session: "s9" },
    });
    expect(names.named({ c: "room", e: "x", prev: { epoch: "y", offset: 1 } })).toEqual({
      c: "room",
      e: "EPOCH-1",
      prev: { epoch: "EPOCH-2", offset: 1 },
    });
    expect(
      names.named([
        { o: 2, ts: 5 },
        { o: 3, ts: 5 },
      ]),
    ).toEqual([
      { o: 2, ts: 1_790_000_000_002_000 },
      { o: 3, ts: 1_790_000_000_003_000 },
    ]);
    expect(names.filled({ pos: [["room", "EPOCH-2", 1]], session: "SESSION-1" })).toEqual({
      pos: [["room", "y", 1]],
      session: "s9",
    });
  });
});
