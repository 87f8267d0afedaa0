import { describe, expect, it } from "vitest";
import { LeaveDeadline } from "./leave-deadline.ts";

function pod() {
  const state = { nowMs: 0, clients: 3, storeOk: true };
  const did: string[] = [];
  const note = (what: string) => void (did.at(-1) === what || did.push(what));
  const deadline = new LeaveDeadline({
    now: () => state.nowMs,
    isEmpty: () => state.clients === 0,
    isStoreOk: () => state.storeOk,
    round: (endMs, limitMs) => note(`round until ${endMs} of ${limitMs}`),
    cutAll: () => {
      note(`cut ${state.clients}`);
      state.clients = 0;
    },
    seal: () => note("seal"),
  });
  /** Seconds pass; gives what was done anew and the second in which it began. */
  const until = (second: number): string[] => {
    const told: string[] = [];
    while (state.nowMs < second * 1_000) {
      state.nowMs += 1_000;
      const before = did.length;
      deadline.tick();
      for (const what of did.slice(before)) told.push(`${state.nowMs / 1_000}s ${what}`);
    }
    return told;
  };
  return { state, deadline, until };
}

describe("the deadline of a pod that leaves", () => {
  it("asks in the last minute, closes the rest at the end, and seals", () => {
    const { deadline, until } = pod();
    deadline.set(900_000);
    expect(until(1_000)).toEqual(["840s round until 900000 of 60000", "900s cut 3", "900s seal"]);
    expect(deadline.inMs).toBe(0);
  });

  it("seals once the last one has left for a moment, long before the end", () => {
    const { state, deadline, until } = pod();
    deadline.set(900_000);
    until(10);
    state.clients = 0;
    until(13);
    state.clients = 1;
    until(14);
    state.clients = 0;
    expect(until(100)).toEqual(["20s seal"]);
  });

  it("does nothing without a deadline, or once it was lifted, and begins anew with each write", () => {
    const { deadline, until } = pod();
    expect(until(2_000)).toEqual([]);
    expect(deadline.inMs).toBe(null);
    deadline.set(10_000);
    until(2_004);
    deadline.set(10_000);
    expect(deadline.inMs).toBe(10_000);
    until(2_008);
    deadline.set(undefined);
    expect(until(3_000)).toEqual([]);
  });

  it("gives the time once more while the store is away, and not for ever", () => {
    const { state, deadline, until } = pod();
    deadline.set(40_000);
    state.storeOk = false;
    expect(until(79)).toEqual(["20s round until 40000 of 20000"]);
    expect(until(90)).toEqual(["80s cut 3", "80s seal"]);
  });

  it("closes at once when the store is back after the end", () => {
    const { state, deadline, until } = pod();
    deadline.set(40_000);
    state.storeOk = false;
    until(60);
    state.storeOk = true;
    expect(until(70)).toEqual(["61s cut 3", "61s seal"]);
  });
});
