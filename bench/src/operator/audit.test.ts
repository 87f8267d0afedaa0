import { describe, expect, it } from "vitest";
import { isAct, parseWrites, reactionsMs } from "./audit.ts";

const line = (user: string, resource: string, namespace: string, at: string) =>
  JSON.stringify({
    verb: "patch",
    user: { username: user },
    objectRef: { resource, namespace },
    requestReceivedTimestamp: at,
    stageTimestamp: at,
    responseStatus: { code: 200 },
  });

const LOG = [
  line("bench", "pods", "a", "2030-01-01T00:00:01.000000Z"),
  line("operator", "leases", "a", "2030-01-01T00:00:01.000100Z"),
  line("operator", "websocketclusters", "b", "2030-01-01T00:00:01.000200Z"),
  line("operator", "websocketclusters", "a", "2030-01-01T00:00:01.0125Z"),
  '{"torn',
].join("\n");

describe("audit log", () => {
  it("has every finished write, to the microsecond", () => {
    const writes = parseWrites(LOG);
    expect(writes).toHaveLength(4);
    expect((writes[3]?.receivedMs ?? 0) - (writes[0]?.receivedMs ?? 0)).toBeCloseTo(12.5, 3);
    expect(writes.filter(isAct).map(({ resource }) => resource)).toEqual([
      "pods",
      "websocketclusters",
      "websocketclusters",
    ]);
  });

  it("tells how long the first act in an event's own namespace took, and never takes silence for speed", () => {
    const writes = parseWrites(LOG);
    const atMs = writes[0]?.doneMs ?? 0;
    const [a, c] = reactionsMs(writes, "operator", [
      { namespace: "a", atMs },
      { namespace: "c", atMs },
    ]);
    expect(a).toBeCloseTo(12.5, 3);
    expect(c).toBe(Number.POSITIVE_INFINITY);
  });
});
