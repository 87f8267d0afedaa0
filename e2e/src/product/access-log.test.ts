import { describe, expect, it } from "vitest";
import { parseArrivals } from "./access-log.ts";

describe("access log of the edge", () => {
  it("reads arrivals and leaves other lines out", () => {
    const line = (named: string, status: number) =>
      `{"t":1767225600123,"from":"10.0.0.1:1024","status":${status},"pod":"a1","named":"${named}","connectMs":0,"end":"--"}`;
    const text = ["[NOTICE] haproxy version is 2.6", line("1", 101), line("0", 503), `{"t":17`, "{nothing}"].join("\n");
    expect(parseArrivals(text)).toEqual([
      { atMs: 1_767_225_600_123, isNamed: true, status: 101 },
      { atMs: 1_767_225_600_123, isNamed: false, status: 503 },
    ]);
  });
});
