import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { elementTexts, memberText } from "./json-span.ts";

// Any JSON text of any layout: JSON.stringify with spaces, and keys that look like the one that is sought.
const layout = fc.constantFrom(undefined, 1, "\t");
const key = fc.oneof(fc.constantFrom("d", "c", '"d"', "\\", "d\\u0064", "é"), fc.string());

describe("memberText", () => {
  it("is the text of the member that JSON.parse keeps", () => {
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), fc.jsonValue(), layout, (record, d, space) => {
        const text = JSON.stringify({ ...record, d, z: [] }, undefined, space);
        const member = memberText(text, "d");
        expect(text).toContain(member);
        expect(JSON.parse(member ?? "")).toEqual(JSON.parse(JSON.stringify(d)));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps how numbers and strings were written", () => {
    expect(memberText('{"t":"d","d": 1.0e+2 }', "d")).toBe("1.0e+2");
    expect(memberText('{"d":12345678901234567890}', "d")).toBe("12345678901234567890");
    expect(memberText('{"d":"\\u00e9\\"}"}', "d")).toBe('"\\u00e9\\"}"');
    expect(memberText('{"a":{"d":1},"d":[{"d":2}, 3] ,"b":"d"}', "d")).toBe('[{"d":2}, 3]');
    expect(memberText('{"d":1,"\\u0064":2}', "d")).toBe("2");
    expect(memberText('{"c":1}', "d")).toBeUndefined();
    expect(memberText("{}", "d")).toBeUndefined();
  });
});

describe("elementTexts", () => {
  it("are the texts of the elements", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), layout, (values, space) => {
        const texts = elementTexts(JSON.stringify(values, undefined, space));
        expect(texts.map((text) => JSON.parse(text) as unknown)).toEqual(JSON.parse(JSON.stringify(values)));
      }),
    );
  });
});
