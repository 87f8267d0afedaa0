import { createMetrics } from "@wscluster/platform";
import { SERVER_METRICS } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import { parseExposition } from "../signals/exposition.ts";
import { countersOf, JUDGED_METRICS, type PodCounters, type PodMeasure, setMeasureFor } from "./measure.ts";

const read = (text: string): PodCounters => countersOf(parseExposition(text, { wanted: JUDGED_METRICS }));

/** What a real server's registry says. */
async function registry(fill: (metrics: ReturnType<typeof createMetrics<typeof SERVER_METRICS>>) => void) {
  const metrics = createMetrics(SERVER_METRICS);
  fill(metrics);
  return read(await metrics.text());
}

describe("the counters of a pod", () => {
  it("are those of the server's own registry", async () => {
    const { events } = await registry((metrics) => {
      metrics.add("wscluster_connections_opened_total", 3, { arrival: "named" });
      metrics.add("wscluster_connections_opened_total", 4, { arrival: "unnamed" });
      metrics.add("wscluster_resumes_total", 5, { way: "resumed" });
      metrics.add("wscluster_resumes_total", 6, { way: "moved" });
      metrics.add("wscluster_resumes_total", 70, { way: "new" });
      metrics.add("wscluster_failed_resumes_total", 2, { kind: "move" });
      metrics.add("wscluster_publishes_total", 8, { result: "stored" });
      metrics.add("wscluster_publishes_total", 1, { result: "dup" });
      metrics.observe("wscluster_publish_seconds", 0.25);
    });
    expect(events).toEqual({
      opened: 7,
      refused: 0,
      resumed: 5,
      moved: 6,
      failedResumes: 2,
      gaps: 0,
      errors: 0,
      received: 0,
      publishes: 9,
      duplicates: 1,
      publishSeconds: 0.25,
    });
  });

  it("are unknown where a server does not have them, or says what nobody may believe", async () => {
    const typed = "# TYPE wscluster_gaps_total counter\n";
    expect(read(typed).events).toMatchObject({ gaps: 0, errors: undefined, failedResumes: undefined });
    expect(read(`${typed}wscluster_gaps_total NaN\n`).events.gaps).toBeUndefined();
    expect(
      read(`${typed}wscluster_gaps_total{why="a"} 1\nwscluster_gaps_total{why="b" 2\n`).events.gaps,
    ).toBeUndefined();
    const open = parseExposition("# TYPE wscluster_gaps counter\nwscluster_gaps_total 4\n# EOF\n", {
      wanted: JUDGED_METRICS,
      format: "openmetrics",
    });
    expect(countersOf(open).events.gaps).toBe(4);
  });
});

describe("the measure of a set", () => {
  const at = (opened: number, boot = 1): PodCounters =>
    read(
      `process_start_time_seconds ${boot}\n# TYPE wscluster_connections_opened_total counter\nwscluster_connections_opened_total ${opened}\n`,
    );
  const pod = (more: Partial<PodMeasure>): PodMeasure => ({
    name: "a",
    first: at(10),
    last: at(15),
    trouble: undefined,
    ...more,
  });

  it("is what its pods counted in the interval, and no sum over what is not known", () => {
    const both = setMeasureFor([pod({}), pod({ name: "b", first: at(0), last: at(7) })], 0.5);
    expect(both).toMatchObject({ pods: 2, silent: [], restarted: [], pressure: 0.5, events: { opened: 12 } });
    expect(both.events.errors).toBeUndefined();
    expect(setMeasureFor([], undefined).events.opened).toBeUndefined();
  });

  it("names pods that have not been read, or not lately", () => {
    const of = [
      pod({}),
      pod({ name: "new", last: undefined, first: undefined }),
      pod({ name: "old", trouble: "timeout" }),
    ];
    expect(setMeasureFor(of, undefined).silent).toEqual([
      { name: "new", why: "it has not been read yet" },
      { name: "old", why: "timeout" },
    ]);
  });

  it("names pods that began anew, and does not lose what they count since", () => {
    const of = setMeasureFor([pod({ last: at(4, 2) })], undefined);
    expect(of).toMatchObject({ restarted: ["a"], events: { opened: 4 } });
  });
});
