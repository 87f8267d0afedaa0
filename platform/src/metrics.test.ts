import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";

const table = {
  app_things_total: { kind: "counter", help: "Things.", labels: ["kind"] },
  app_level: { kind: "gauge", help: "Level." },
  app_seconds: { kind: "histogram", help: "Seconds.", buckets: [0.1, 1] },
} as const;

describe("createMetrics", () => {
  it("exposes what the table names, each registry apart", async () => {
    const metrics = createMetrics(table);
    createMetrics(table);
    metrics.add("app_things_total", 2, { kind: "a" });
    metrics.set("app_level", 7);
    metrics.observe("app_seconds", 0.5);
    const text = await metrics.text();
    expect(text).toContain('app_things_total{kind="a"} 2');
    expect(text).toContain("app_level 7");
    expect(text).toContain('app_seconds_bucket{le="1"} 1');
  });

  it("forgets a series", async () => {
    const metrics = createMetrics({ app_size: { kind: "gauge", help: "Size.", labels: ["of"] } } as const);
    metrics.set("app_size", 1, { of: "a" });
    metrics.set("app_size", 2, { of: "b" });
    metrics.remove("app_size", { of: "a" });
    expect(await metrics.text()).not.toContain('of="a"');
    expect(await metrics.text()).toContain('app_size{of="b"} 2');
  });

  it("counts a counter on over scrapes, and a histogram by its labels and bounds", async () => {
    const metrics = createMetrics({
      app_done_total: { kind: "counter", help: "Done.", labels: ["kind", "code"] },
      app_plain_total: { kind: "counter", help: "Plain." },
      app_seconds: { kind: "histogram", help: "Seconds.", buckets: [0.1, 1], labels: ["type"] },
      app_unused: { kind: "histogram", help: "Unused.", buckets: [1] },
    } as const);
    const lines = async () => (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    metrics.add("app_done_total", 2, { kind: "a", code: "b" });
    metrics.add("app_done_total", 1, { code: "", kind: "ab" });
    expect((await lines()).filter((line) => line.startsWith("app_done"))).toEqual([
      'app_done_total{kind="a",code="b"} 2',
      'app_done_total{code="",kind="ab"} 1',
    ]);
    metrics.add("app_done_total", 3, { code: "b", kind: "a" });
    for (const value of [0.1, 0.11, 1, 5]) metrics.observe("app_seconds", value, { type: "x" });
    expect(await lines()).toEqual([
      'app_done_total{kind="a",code="b"} 5',
      'app_done_total{code="",kind="ab"} 1',
      "app_plain_total 0",
      'app_seconds_bucket{le="0.1",type="x"} 1',
      'app_seconds_bucket{le="1",type="x"} 3',
      'app_seconds_bucket{le="+Inf",type="x"} 4',
      'app_seconds_sum{type="x"} 6.21',
      'app_seconds_count{type="x"} 4',
      'app_unused_bucket{le="1"} 0',
      'app_unused_bucket{le="+Inf"} 0',
      "app_unused_sum 0",
      "app_unused_count 0",
    ]);
  });

  it("refuses labels that the table does not have, and amounts below 0", () => {
    const metrics = createMetrics(table);
    expect(() => metrics.add("app_things_total", 1, { kind: "a", other: "x" })).toThrow("other");
    expect(() => metrics.add("app_things_total", -1, { kind: "a" })).toThrow("-1");
  });

  it("refuses a metric used as another kind", () => {
    expect(() => createMetrics(table).set("app_seconds", 1)).toThrow("app_seconds");
  });
});
