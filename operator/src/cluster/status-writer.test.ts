import type { WebSocketClusterStatus } from "@wscluster/crds";
import { describe, expect, it } from "vitest";
import { judgeStatus, MOVING_EVERY_MS, REST_EVERY_MS } from "./status-writer.ts";

const condition = (reason: string, message: string) => ({
  type: "Progressing",
  status: "True" as const,
  reason,
  message,
  lastTransitionTime: "2030-01-01T00:00:00Z",
});
const moving = (left: number): WebSocketClusterStatus => ({
  observedGeneration: 2,
  conditions: [condition("MovingConnections", `${left} left`)],
  moving: `${500 - left}/500`,
});
const rest = (connections: number): WebSocketClusterStatus => ({
  observedGeneration: 2,
  conditions: [condition("Complete", "done")],
  connections,
});

describe("judgeStatus", () => {
  it("writes nothing when nothing changed, whatever the order of keys", () => {
    const { observedGeneration, ...others } = rest(5);
    expect(judgeStatus({ ...others, observedGeneration: observedGeneration ?? 0 }, rest(5), 0, 1e9).kind).toBe("same");
  });

  it("writes the first status, and one that was wiped, at once", () => {
    expect(judgeStatus(rest(1), undefined, undefined, 0).kind).toBe("write");
    expect(judgeStatus(moving(5), {}, 1_000, 1_001).kind).toBe("write");
  });

  it("writes transitions at once", () => {
    expect(judgeStatus(moving(5), rest(5), 1_000, 1_001).kind).toBe("write");
  });

  it("writes numbers of a move every five seconds, and says when", () => {
    expect(judgeStatus(moving(5), moving(9), 1_000, 3_000)).toEqual({ kind: "later", inMs: MOVING_EVERY_MS - 2_000 });
    expect(judgeStatus(moving(5), moving(9), 1_000, 1_000 + MOVING_EVERY_MS).kind).toBe("write");
  });

  it("writes numbers at rest more seldom", () => {
    expect(judgeStatus(rest(50), rest(5), 0, MOVING_EVERY_MS)).toEqual({
      kind: "later",
      inMs: REST_EVERY_MS - MOVING_EVERY_MS,
    });
  });

  it("writes pods that come and go within five seconds, and a set that is at zero at once", () => {
    const of = (replicas: number): WebSocketClusterStatus => ({
      ...rest(5),
      replicas,
      sets: [{ revision: "a", color: "blue", role: "retired", image: "chat:1", replicas, ready: replicas }],
    });
    expect(judgeStatus(of(2), of(3), 0, 1_000)).toEqual({ kind: "later", inMs: MOVING_EVERY_MS - 1_000 });
    expect(judgeStatus(of(0), of(1), 0, 1_000)).toEqual({ kind: "write" });
  });
});
