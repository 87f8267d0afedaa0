import { describe, expect, it } from "vitest";
import { FrameStream } from "./frame-stream.ts";

/** A frame as a server sends it: without a mask. */
function serverFrame(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const first = 0x80 | opcode;
  if (payload.length < 126) return Buffer.concat([Buffer.from([first, payload.length]), payload]);
  const isShort = payload.length < 65_536;
  const head = Buffer.alloc(isShort ? 4 : 10);
  head[0] = first;
  head[1] = isShort ? 126 : 127;
  if (isShort) head.writeUInt16BE(payload.length, 2);
  else head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
}

function read(bytes: Buffer, size: number, options: { lines: boolean; gathers: boolean }) {
  const seen = { messages: 0, pings: [] as string[], texts: [] as string[] };
  const stream = new FrameStream({
    messageBytes: 4,
    lines: options.lines,
    onMessages: (count) => (seen.messages += count),
    onPing: (payload) => seen.pings.push(payload.toString()),
  });
  if (options.gathers) stream.onText = (payload) => seen.texts.push(payload.toString());
  // One buffer for all reads, as the sockets do it: nothing may be kept of it.
  const shared = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(shared, 0, at, at + size);
    stream.push(shared, length);
    shared.fill(0xff);
  }
  return seen;
}

describe("frame stream", () => {
  const texts = ["abc", "", "d".repeat(125), "e".repeat(126), "f\n".repeat(300), "g".repeat(70_000), "last"];
  const bytes = Buffer.concat([
    ...texts.map((text) => serverFrame(1, text)),
    serverFrame(9, "ping!"),
    serverFrame(9, ""),
  ]);

  it.each([1, 2, 3, 5, 127, 4_096, bytes.length])("finds the same in pieces of %i bytes", (size) => {
    expect(read(bytes, size, { lines: false, gathers: true })).toEqual({ messages: 5, pings: ["ping!", ""], texts });
    expect(read(bytes, size, { lines: false, gathers: false }).messages).toBe(5);
  });

  it("counts each line where several messages may share a frame", () => {
    expect(read(serverFrame(1, "{1111}\n{2222}\n{3333}"), 7, { lines: true, gathers: false }).messages).toBe(3);
    expect(read(serverFrame(1, "{1111}"), 64, { lines: true, gathers: false }).messages).toBe(1);
  });
});
