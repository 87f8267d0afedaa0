import { describe, expect, it } from "vitest";
import { visitOf } from "./heartbeat.ts";

const quiet = { read: false, sent: false, waiting: false, silentVisits: 0, stuckVisits: 0 };

describe("visitOf", () => {
  it("does nothing while there is traffic both ways", () => {
    expect(visitOf({ ...quiet, read: true, sent: true })).toBe("none");
  });

  it("pings who says nothing, and who hears nothing", () => {
    expect(visitOf({ ...quiet, sent: true })).toBe("ping");
    expect(visitOf({ ...quiet, read: true })).toBe("ping");
  });

  it("gives up after two unanswered pings; any byte is life", () => {
    expect([0, 1, 2, 3].map((silentVisits) => visitOf({ ...quiet, silentVisits }))).toEqual([
      "ping",
      "ping",
      "dead",
      "dead",
    ]);
    expect(visitOf({ ...quiet, read: true, silentVisits: 5 })).toBe("ping");
  });

  it("gives up on who sends and takes nothing", () => {
    expect(visitOf({ ...quiet, read: true, waiting: true, stuckVisits: 2 })).toBe("stuck");
    expect(visitOf({ ...quiet, read: true, waiting: true, sent: true, stuckVisits: 2 })).toBe("none");
  });
});
