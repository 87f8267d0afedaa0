// The agent's HTTP answers. Not here: the server (platform) and what the answers mean (agent.ts, termination.ts).
import type { AdminAnswer, AdminRoutes } from "@wscluster/platform";
import { EDGE_PATHS } from "@wscluster/protocol";
import type { EdgeAgent } from "./agent.ts";
import type { EdgeBrake } from "./brake.ts";
import { recordEdge, type EdgeCounters, type EdgeMetrics } from "./counters.ts";
import type { Termination } from "./termination.ts";

export type EdgeRoutesOptions = {
  readonly agent: Pick<EdgeAgent, "state" | "isReady" | "held" | "connectionLimit">;
  readonly brake: Pick<EdgeBrake, "state">;
  readonly termination: Pick<Termination, "onHook">;
  readonly counters: EdgeCounters;
  readonly metrics: EdgeMetrics;
};

export function edgeRoutes({ agent, brake, termination, counters, metrics }: EdgeRoutesOptions): AdminRoutes {
  return {
    // The event loop alone: restarting the agent mends neither the proxy nor the API server.
    [`GET ${EDGE_PATHS.livez}`]: () => ({ status: 200, body: "ok\n" }),
    async [`GET ${EDGE_PATHS.readyz}`](): Promise<AdminAnswer> {
      return (await agent.isReady())
        ? { status: 200, body: "ok\n" }
        : { status: 503, body: "the proxy does not answer, or it was not programmed yet\n" };
    },
    async [`GET ${EDGE_PATHS.state}`](): Promise<AdminAnswer> {
      try {
        const { state: admission } = brake;
        return { status: 200, body: { ...(await agent.state()), ...(admission === undefined ? {} : { admission }) } };
      } catch (error) {
        return { status: 503, body: { ok: false, message: error instanceof Error ? error.message : "unknown" } };
      }
    },
    async [`GET ${EDGE_PATHS.drained}`](): Promise<AdminAnswer> {
      const result = await termination.onHook();
      return result.kind === "drained"
        ? { status: 200, body: { ok: true, connections: result.connections } }
        : { status: 503, body: { ok: false, message: "this pod is not being ended" } };
    },
    async [`GET ${EDGE_PATHS.metrics}`](): Promise<AdminAnswer> {
      recordEdge(metrics, counters, {
        state: await agent.state().catch(() => undefined),
        admission: brake.state,
        isHeld: agent.held !== undefined,
        connectionLimit: agent.connectionLimit,
      });
      return { status: 200, body: await metrics.text(), contentType: metrics.contentType };
    },
  };
}
