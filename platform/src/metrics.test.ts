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

  it("refuses a metric used as another kind", () => {
    expect(() => createMetrics(table).set("app_seconds", 1)).toThrow("app_seconds");
  });
});
