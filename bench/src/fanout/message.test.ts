import { describe, expect, it } from "vitest";
import { messageOf, stampsIn } from "./message.ts";

describe("message", () => {
  it("has the wanted length and is JSON", () => {
    const text = messageOf(1_234.5, 128);
    expect(text.length).toBe(128);
    expect((JSON.parse(text) as { readonly at: number }).at).toBe(1_234.5);
  });

  it("gives back every stamp of a frame with several messages", () => {
    const frame = [1, 2.25, 300_000.125].map((at) => `{"pub":{"data":${messageOf(at, 128)}}}`).join("\n");
    expect(stampsIn(Buffer.from(frame))).toEqual([1, 2.25, 300_000.125]);
  });
});
