import { createMetrics } from "@wscluster/platform";
import { NO_RECEIPTS } from "@wscluster/protocol";
import { describe, expect, it } from "vitest";
import { ClusterMetrics, type GrantReport } from "./cluster-metrics.ts";
import { decide } from "./decide/index.ts";
import { OPERATOR_METRICS } from "./metrics.ts";
import { World } from "./testing/world.ts";

async function linesOf(metrics: { text(): Promise<string> }): Promise<string[]> {
  return (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

function fleet() {
  const world = new World({ replicas: 2, server: { image: "chat:1" }, redis: { url: "redis://r" } });
  world.run(10);
  const metrics = createMetrics(OPERATOR_METRICS);
  const clusters = new ClusterMetrics(metrics);
  const see = (key = "apps/chat") => clusters.saw(key, world.facts(), decide(world.facts()));
  return { world, metrics, clusters, see };
}

describe("metrics of the clusters", () => {
  it("counts the fates that come, not those that were there before", async () => {
    const { world, metrics, see } = fleet();
    const receipt = (intent: string, moved: number, cut: number) =>
      world.fleet.receipts.set(intent, { ...NO_RECEIPTS, offered: moved + cut, moved, cut });
    receipt("rollout/r/1/1", 40, 0);
    see();
    receipt("rollout/r/1/1", 55, 1);
    receipt("scaleDown/p", 3, 0);
    see();
    // Gone and back again: nothing new.
    world.fleet.receipts.delete("scaleDown/p");
    see();
    receipt("scaleDown/p", 3, 0);
    receipt("whatever a pod says", 9, 0);
    see();
    const moves = (await linesOf(metrics)).filter((line) => line.startsWith("wscluster_operator_moves_total"));
    expect(moves.toSorted()).toEqual([
      'wscluster_operator_moves_total{intent="other",outcome="moved"} 9',
      'wscluster_operator_moves_total{intent="rollout",outcome="cut"} 1',
      'wscluster_operator_moves_total{intent="rollout",outcome="moved"} 15',
      'wscluster_operator_moves_total{intent="scaleDown",outcome="moved"} 3',
    ]);
  });

  it("sums sets and holds over the clusters, and forgets those that are gone", async () => {
    const { world, metrics, clusters, see } = fleet();
    see("a/one");
    world.setSpec({ moves: { paused: true } });
    world.run(1);
    see("b/two");
    const now = async () => (await linesOf(metrics)).filter((line) => /_sets|_held|_clusters/.test(line));
    expect(await now()).toEqual([
      "wscluster_operator_clusters 2",
      'wscluster_operator_sets{role="stable"} 2',
      'wscluster_operator_sets{role="candidate"} 0',
      'wscluster_operator_sets{role="superseded"} 0',
      'wscluster_operator_sets{role="retired"} 0',
      'wscluster_operator_held{reason="MovesPaused"} 1',
    ]);
    clusters.forget("b/two");
    expect(await now()).toContain('wscluster_operator_held{reason="MovesPaused"} 0');
    clusters.clear();
    expect(await now()).toContain("wscluster_operator_clusters 0");
    expect((await linesOf(metrics)).filter((line) => line.includes("tokens"))).toEqual([]);
  });

  it("tells grants by what became of them", async () => {
    const { metrics, clusters } = fleet();
    const report = (outcome: GrantReport["outcome"], count: number): GrantReport => ({
      grant: { source: "p", intent: "rollout/r/1", count, windowMs: 1_000, deadlineMs: 1, targets: [] },
      outcome,
    });
    clusters.did([report("accepted", 10), report("accepted", 5), report("refused", 2), report("unpaid", 7)]);
    const grants = (await linesOf(metrics)).filter((line) => line.includes("grant"));
    expect(grants).toEqual([
      'wscluster_operator_grants_total{intent="rollout",outcome="accepted"} 2',
      'wscluster_operator_grants_total{intent="rollout",outcome="refused"} 1',
      'wscluster_operator_grants_total{intent="rollout",outcome="unpaid"} 1',
      'wscluster_operator_granted_connections_total{intent="rollout",outcome="accepted"} 15',
      'wscluster_operator_granted_connections_total{intent="rollout",outcome="refused"} 2',
    ]);
  });
});
