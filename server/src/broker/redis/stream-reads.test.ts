import { describe, expect, it } from "vitest";
import { slotOf } from "../slots.ts";
import type { ReadPages } from "./stream-reads.ts";
import { StreamReads } from "./stream-reads.ts";

/** Streams of one slot. */
function sameSlot(count: number): string[] {
  const streams: string[] = [];
  for (let n = 0; streams.length < count; n += 1) if (slotOf(`t/${n}`) === 7) streams.push(`t/${n}`);
  return streams;
}

function scene(fails = (_: string): boolean => false) {
  const asked: string[][] = [];
  const ask: ReadPages = async (reads) => {
    asked.push(reads.map(({ stream, after, limit }) => `${stream} ${after} ${limit}`));
    if (reads.some(({ stream }) => fails(stream))) throw new Error("away");
    return reads.map(({ after }) => ["e1", String(after + 5), "[]", []]);
  };
  return { asked, reads: new StreamReads(ask) };
}

describe("StreamReads", () => {
  it("asks once for streams of one slot that are read in the same turn, and gives each its own page", async () => {
    const { asked, reads } = scene();
    const [a = "", b = ""] = sameSlot(2);
    const other = Array.from({ length: 100 }, (_, n) => `u/${n}`).find((stream) => slotOf(stream) !== 7) ?? "";
    const pages = await Promise.all([reads.read(a, 1, 10), reads.read(other, 2, 10), reads.read(b, 3, 20)]);
    expect(asked).toEqual([[`${a} 1 10`, `${b} 3 20`], [`${other} 2 10`]]);
    expect(pages.map(({ top }) => top.top)).toEqual([6, 7, 8]);
    await reads.read(a, 9, 10);
    expect(asked).toHaveLength(3);
  });

  it("lets the store breathe between many", async () => {
    const { asked, reads } = scene();
    await Promise.all(sameSlot(70).map((stream) => reads.read(stream, 0, 1)));
    expect(asked.map((streams) => streams.length)).toEqual([32, 32, 6]);
  });

  it("fails those alone whose question failed", async () => {
    const streams = sameSlot(33);
    const { reads } = scene((stream) => stream === streams[0]);
    const outcomes = await Promise.allSettled(streams.map((stream) => reads.read(stream, 0, 1)));
    expect(outcomes.map(({ status }) => status).filter((status) => status === "fulfilled")).toHaveLength(1);
  });
});
