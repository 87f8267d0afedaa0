// Two signals that must come together; agent.test.ts ends a real proxy.
import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/index.ts";
import type { Proxy } from "./proxy.ts";
import { RuntimeSocketError } from "./runtime-socket.ts";
import { Termination } from "./termination.ts";

class FakeProxy implements Pick<Proxy, "read" | "setAccepting" | "endClients"> {
  connections = 2;
  error: Error | undefined;
  readonly accepting: boolean[] = [];
  async read() {
    if (this.error !== undefined) throw this.error;
    return { servers: [], share: "none" as const, connections: this.connections, connectionLimit: 100 };
  }
  readonly ended: number[] = [];
  isStubborn = false;
  async endClients(count: number): Promise<void> {
    this.ended.push(count);
    if (!this.isStubborn) this.connections -= count;
  }
  async setAccepting(accepting: boolean): Promise<void> {
    this.accepting.push(accepting);
  }
}

const quiet = { debug: () => {}, info: () => {}, warn: () => {} };

/** Lets pending promises settle between steps of the fake clock. */
async function advance(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    await clock.advance(250);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function setUp() {
  const clock = new FakeClock();
  const proxy = new FakeProxy();
  const termination = new Termination({ proxy, clock, log: quiet, graceMs: 60_000 });
  return { clock, proxy, termination };
}

describe("Termination", () => {
  it.each(["onHook", "onSignal"] as const)("changes nothing by %s alone: one container is restarted", async (way) => {
    const { clock, proxy, termination } = setUp();
    const result = termination[way]();
    await advance(clock, 3_000);
    expect(await result).toEqual({ kind: "alone" });
    await advance(clock, 10_000);
    expect(proxy.accepting).toEqual([]);
  });

  it("accepts for the Service's lag, then stops listening, then waits for the last client", async () => {
    const { clock, proxy, termination } = setUp();
    let done = false;
    const result = Promise.all([termination.onHook(), termination.onSignal()]).finally(() => (done = true));
    await advance(clock, 4_500);
    expect(proxy.accepting).toEqual([]);
    await advance(clock, 1_000);
    expect(proxy.accepting).toEqual([false]);
    await advance(clock, 20_000);
    expect(done).toBe(false);
    proxy.connections = 0;
    await advance(clock, 500);
    expect(await result).toEqual([
      { kind: "drained", connections: 0 },
      { kind: "drained", connections: 0 },
    ]);
  });

  it("closes who did not move evenly over the last third", async () => {
    const { clock, proxy, termination } = setUp();
    proxy.connections = 100;
    const result = Promise.all([termination.onSignal(), termination.onHook()]);
    await advance(clock, 37_000);
    expect(proxy.ended).toEqual([]);
    await advance(clock, 18_000);
    expect(await result).toContainEqual({ kind: "drained", connections: 0 });
    expect(proxy.ended.length).toBeGreaterThanOrEqual(14);
    expect(Math.max(...proxy.ended)).toBeLessThanOrEqual(8);
  });

  it("ends five seconds before the grace period with who is left", async () => {
    const { clock, proxy, termination } = setUp();
    proxy.isStubborn = true;
    const result = Promise.all([termination.onSignal(), termination.onHook()]);
    await advance(clock, 56_000);
    expect((await result)[0]).toEqual({ kind: "drained", connections: 2 });
  });

  it("does not wait for a proxy that is gone", async () => {
    const { clock, proxy, termination } = setUp();
    proxy.error = new RuntimeSocketError("Unreachable", "connect", "nobody listens");
    const result = Promise.all([termination.onSignal(), termination.onHook()]);
    await advance(clock, 6_000);
    expect((await result)[0]).toMatchObject({ kind: "drained" });
  });
});
