import fc from "fast-check";
import { createMetrics } from "@wscluster/platform";
import { describe, expect, it } from "vitest";
import { ExpositionParser, formatOf, parseExposition, type Exposition } from "./exposition.ts";

const codes = (exposition: Exposition): string[] => exposition.problems.map((problem) => problem.code);
const only = (text: string, format: "prometheus" | "openmetrics" = "prometheus") => {
  const { samples, problems } = parseExposition(text, { format });
  expect(problems).toEqual([]);
  expect(samples).toHaveLength(1);
  return samples[0];
};

describe("parseExposition", () => {
  it("reads names, labels, escapes, values and timestamps", () => {
    expect(only("up 1\n")).toEqual({ name: "up", labels: new Map(), value: 1 });
    expect(only('a:b{x="1",y="q\\"b\\\\s\\nn"} -2.5e3 1700000000123\n')).toEqual({
      name: "a:b",
      labels: new Map([
        ["x", "1"],
        ["y", 'q"b\\s\nn'],
      ]),
      value: -2500,
      timestampMs: 1_700_000_000_123,
    });
    expect(only('\t a { x = "1" , }\t7 \r\n')).toEqual({ name: "a", labels: new Map([["x", "1"]]), value: 7 });
    expect(only('{"my.metric",x="}"} 3\n')).toEqual({ name: "my.metric", labels: new Map([["x", "}"]]), value: 3 });
    expect(only('a{__proto__="x"} 1\n')?.labels.get("__proto__")).toBe("x");
  });

  it.each([
    ["NaN", Number.NaN],
    ["Nan", Number.NaN],
    ["+Inf", Infinity],
    ["inf", Infinity],
    ["-Inf", -Infinity],
    [".5", 0.5],
    ["5.", 5],
    ["+1e-3", 0.001],
  ])("reads the value %s", (text, value) => {
    expect(only(`a ${text}\n`)?.value).toBe(value);
  });

  it("reads OpenMetrics: seconds, exemplars, EOF", () => {
    const text = '# TYPE a counter\na_total{x="#"} 5 1.5 # {trace="t{1}"} 0.3 1.25\n# EOF\n';
    expect(only(text, "openmetrics")).toEqual({
      name: "a_total",
      labels: new Map([["x", "#"]]),
      value: 5,
      timestampMs: 1500,
    });
    expect(parseExposition("a 1\n# EOF", { format: "openmetrics" }).isComplete).toBe(true);
    expect(codes(parseExposition("a 1\n# EOF\nb 2\n", { format: "openmetrics" }))).toEqual(["after-eof"]);
    expect(parseExposition("a 1\n", { format: "openmetrics" })).toMatchObject({ isComplete: false });
    expect(codes(parseExposition("a 1 # x\n# EOF\n", { format: "openmetrics" }))).toEqual(["bad-exemplar"]);
    expect(formatOf("application/openmetrics-text; version=1.0.0")).toBe("openmetrics");
    expect(formatOf(undefined)).toBe("prometheus");
  });

  it.each([
    ["7up 1", "bad-name"],
    ["a-b 1", "bad-name"],
    ["a", "bad-value"],
    ["a 0x10", "bad-value"],
    ["a 1_000", "bad-value"],
    ['a{x="1} 1', "bad-labels"],
    ["a{x=1} 1", "bad-labels"],
    ['a{x="1",x="2"} 1', "bad-labels"],
    ['a{x="1"', "bad-labels"],
    ["a 1 2.5", "bad-timestamp"],
    ["a 1 2 3", "bad-timestamp"],
  ])("tells that %s has a %s and reads the lines around it", (line, code) => {
    const exposition = parseExposition(`before 1\n${line}\nafter 2\n`);
    expect(exposition.samples.map((sample) => sample.name)).toEqual(["before", "after"]);
    expect(exposition.problems).toEqual([{ line: 2, code, text: line }]);
    expect(exposition.isComplete).toBe(true);
  });

  it("takes neither of two values of one series for true", () => {
    const exposition = parseExposition('a{x="1",y="2"} 1\na{y="2",x="1"} 2\n');
    expect(codes(exposition)).toEqual(["duplicate"]);
    expect([...exposition.broken]).toEqual(["a"]);
  });

  it("does not take the beginning of a cut number for the number", () => {
    const exposition = parseExposition("a 1\nb 123");
    expect(exposition).toMatchObject({ isComplete: false });
    expect(exposition.samples.map((sample) => sample.name)).toEqual(["a"]);
  });

  it("reads only what is wanted, not even the labels of the rest", () => {
    const exposition = parseExposition('a{broken 1\nb 2\n{"c"} 3\n', { wanted: new Set(["b"]) });
    expect(exposition.samples.map((sample) => sample.name)).toEqual(["b"]);
    expect(exposition.problemCount).toBe(0);
  });

  it("stops at its limits, whatever comes in", () => {
    const parser = new ExpositionParser({ maxChars: 1_000, maxLineChars: 100 });
    let pushed = 0;
    while (parser.push("x".repeat(50))) pushed++;
    expect(pushed).toBe(20);
    expect(parser.end().isComplete).toBe(false);
    const long = parseExposition(`a{x="${"y".repeat(200)}"} 1\nb 2\n`, { maxLineChars: 100 });
    expect(long.samples.map((sample) => sample.name)).toEqual(["b"]);
    expect([...long.broken]).toEqual(["a"]);
    const many = parseExposition("a 1\nb 1\nc 1\n", { maxSamples: 2 });
    expect(many).toMatchObject({ isComplete: false });
    expect(codes(many)).toEqual(["too-many-samples"]);
    expect(parseExposition("%\n".repeat(100))).toMatchObject({ problemCount: 100, problems: { length: 20 } });
  });
});

const cutAt = (text: string, cuts: readonly number[]): string[] => {
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length].toSorted((a, b) => a - b);
  return places.slice(1).map((end, index) => text.slice(places[index], end));
};
const parsedInPieces = (text: string, cuts: readonly number[]): Exposition => {
  const parser = new ExpositionParser();
  for (const piece of cutAt(text, cuts)) parser.push(piece);
  return parser.end();
};

describe("any text", () => {
  it("never throws, and the cuts between chunks change nothing", () => {
    const word = fc.constantFrom(
      "a",
      "{",
      "}",
      '"',
      "\\",
      ",",
      "=",
      " ",
      "\n",
      "\r",
      "#",
      "# EOF",
      "1",
      "NaN",
      "\t",
      "é",
      "\0",
      "e",
      "x=",
      '"\n',
    );
    const garbage = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(word, { maxLength: 60 }).map((words) => words.join("")),
    );
    fc.assert(
      fc.property(garbage, fc.array(fc.nat()), (text, cuts) => {
        expect(parsedInPieces(text, cuts)).toEqual(parseExposition(text));
        parseExposition(text, { format: "openmetrics" });
      }),
      { numRuns: 300, seed: 11 },
    );
  });

  it("gives back what prom-client was told", async () => {
    const label = fc.string({
      unit: fc.constantFrom("a", '"', "\\", "\n", "n", "{", "}", ",", "=", " ", "#", "é", "\t"),
    });
    const value = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Infinity, -Infinity, 0, 1e21, 5e-324));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(label, value), { maxLength: 20 }),
        fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        async (levels, seconds, cuts) => {
          const metrics = createMetrics({
            app_level: { kind: "gauge", help: 'A "level" \\ of\nmany lines.', labels: ["kind"] },
            app_seconds: { kind: "histogram", help: "Seconds.", buckets: [0.1, 1, 5] },
          });
          for (const [kind, level] of levels) metrics.set("app_level", level, { kind });
          for (const one of seconds) metrics.observe("app_seconds", one);
          const { samples, problems, isComplete } = parsedInPieces(await metrics.text(), cuts);
          expect(problems).toEqual([]);
          expect(isComplete).toBe(true);
          // prom-client writes -0 as 0.
          const told = new Map(levels.map(([kind, level]) => [kind, level + 0]));
          const read = samples.filter((sample) => sample.name === "app_level");
          expect(new Map(read.map((sample) => [sample.labels.get("kind"), sample.value]))).toEqual(told);
          const bucket = samples.find((one) => one.name === "app_seconds_bucket" && one.labels.get("le") === "1");
          expect(bucket?.value).toBe(seconds.filter((one) => one <= 1).length);
          expect(samples.find((one) => one.name === "app_seconds_count")?.value).toBe(seconds.length);
        },
      ),
      { numRuns: 150, seed: 11 },
    );
  });
});
