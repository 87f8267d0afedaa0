import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeText } from "./decode.ts";

describe("decodeText", () => {
  it("reads single frames and arrays of frames, each with its payload's text", () => {
    const decoded = decodeText('[{"t":"pub","i":1,"c":"a","s":1,"d":{"x":1.0}}, {"t":"ping","i":2}]');
    expect(decoded).toEqual({
      ok: true,
      frames: [
        { ok: true, frame: { t: "pub", i: 1, c: "a", s: 1, d: { x: 1 } }, data: '{"x":1.0}' },
        { ok: true, frame: { t: "ping", i: 2 }, data: "" },
      ],
    });
  });

  it("reads a hello with everything, ignoring what it does not know", () => {
    const hello = {
      t: "hello",
      token: "t",
      device: "d",
      producer: { id: "p", gen: 3 },
      caps: ["migrate", "fly"],
      resume: { session: "s", secret: "x", pos: [["room", "e", 4]] },
      ticket: "k",
      prepare: true,
      sub: [{ c: "a" }, { c: "b", from: { epoch: "e", offset: 2 } }],
      colour: "blue",
    };
    const decoded = decodeText(JSON.stringify(hello));
    const { colour, ...rest } = hello;
    expect(colour).toBe("blue");
    expect(decoded).toEqual({ ok: true, frames: [{ ok: true, frame: { ...rest, caps: ["migrate"] }, data: "" }] });
  });

  it.each([
    '{"t":"hello"}',
    '{"t":"hello","producer":{"id":"","gen":1},"caps":[]}',
    '{"t":"hello","producer":{"id":"p","gen":1},"caps":[],"resume":{"session":"s"}}',
    '{"t":"hello","producer":{"id":"p","gen":1},"caps":[],"resume":{"session":"s","secret":"x","pos":[["a","e",-1]]}}',
    '{"t":"hello","producer":{"id":"p","gen":1},"caps":[],"sub":[{"from":1}]}',
    '{"t":"pub","i":1,"c":"a","s":0,"d":1}',
    '{"t":"pub","i":1,"c":"a","s":1}',
    '{"t":"pub","i":1.5,"c":"a","s":1,"d":1}',
    '{"t":"sub","i":1,"c":"a","from":{"epoch":"e"}}',
    '{"t":"fetch","i":1,"c":"a","n":1}',
    '{"t":"commit"}',
  ])("finds %s wanting", (text) => {
    const decoded = decodeText(text);
    expect(decoded.ok && decoded.frames[0]).toMatchObject({ ok: false, code: "bad-frame" });
  });

  it("never throws, whatever the text", () => {
    const mangled = fc
      .tuple(fc.json(), fc.nat(), fc.string())
      .map(([text, at, piece]) => text.slice(0, at % (text.length + 1)) + piece + text.slice(at % (text.length + 1)));
    const framed = fc
      .record({ t: fc.constantFrom("hello", "pub", "sub", "unsub", "fetch", "commit", "ping"), i: fc.jsonValue() })
      .chain((base) =>
        fc
          .dictionary(fc.constantFrom("c", "s", "d", "from", "n", "producer", "resume", "sub"), fc.jsonValue())
          .map((rest) => JSON.stringify({ ...rest, ...base })),
      );
    fc.assert(
      fc.property(fc.oneof(mangled, framed, fc.string()), (text) => {
        expect(typeof decodeText(text).ok).toBe("boolean");
      }),
      { numRuns: 1_000 },
    );
  });
});
