import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { HEARTBEAT, textFrame, textFrameOf } from "./wire-frame.ts";

// ws exports its reader; its types do not know that.
type Reader = { on(event: string, listener: (data: Buffer) => void): void; write(bytes: Buffer): void };
const { Receiver } = ws as unknown as { readonly Receiver: new (options: object) => Reader };

/** What ws, which wrote its reader apart from our writer, makes of the bytes. */
function readByWs(bytes: Buffer, step: number): readonly string[] {
  const receiver = new Receiver({ isServer: false, binaryType: "nodebuffer" });
  const messages: string[] = [];
  receiver.on("message", (data: Buffer) => messages.push(data.toString()));
  receiver.on("ping", () => messages.push("(ping)"));
  for (let at = 0; at < bytes.length; at += step) receiver.write(bytes.subarray(at, at + step));
  return messages;
}

describe("textFrame", () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])("of %i bytes is read by ws", (length) => {
    const text = "a".repeat(length);
    expect(readByWs(textFrame(text), 1_000)).toEqual([text]);
    expect(textFrame(Buffer.from(text))).toEqual(textFrame(text));
  });

  it("joined with others is read at any split, with bytes counted and not characters", () => {
    const texts = ["é".repeat(63), "", "x".repeat(200), "日本"];
    const joined = Buffer.concat(texts.map((text) => textFrame(text)));
    for (let step = 1; step <= joined.length; step += 1) expect(readByWs(joined, step)).toEqual(texts);
  });

  it("splices bytes as they are", () => {
    expect(readByWs(textFrameOf('{"d":', Buffer.from("1.0"), "}"), 3)).toEqual(['{"d":1.0}']);
  });
});

describe("HEARTBEAT", () => {
  it("is a WebSocket ping and the frame `ping`", () => {
    expect(readByWs(HEARTBEAT, 100)).toEqual(["(ping)", '{"t":"ping"}']);
  });
});
