import { describe, expect, it } from "vitest";
import { clientFrame, FrameReader } from "./raw-socket.ts";

/** The same frame as a server sends it: without a mask. */
function serverFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, 0, 0]);
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

describe("raw socket", () => {
  it("finds the same frames however the bytes are cut", () => {
    const texts = ["a", "b".repeat(125), "c".repeat(126), "d".repeat(5_000), ""];
    const bytes = Buffer.concat(texts.map(serverFrame));
    for (const size of [1, 2, 3, 127, 4_096, bytes.length]) {
      const seen: string[] = [];
      const reader = new FrameReader((_, payload) => seen.push(payload.toString()));
      for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
      expect(seen).toEqual(texts);
    }
  });

  it("masks what it sends", () => {
    const frame = clientFrame(1, Buffer.from("hello"));
    expect(frame[0]).toBe(0x81);
    expect(frame[1]).toBe(0x80 | 5);
    const mask = frame.subarray(2, 6);
    expect(Buffer.from(frame.subarray(6).map((byte, index) => byte ^ (mask[index & 3] ?? 0))).toString()).toBe("hello");
  });
});
