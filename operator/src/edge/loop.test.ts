// The loop's order and timing, with a clock that a test moves and a proxy that disobeys as told. agent.test.ts has the real one.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/index.ts";
import { EdgeAgent } from "./agent.ts";
import { noCounts } from "./counters.ts";
import type { ServerPod } from "./pods.ts";
import type { Proxy, ProxyView } from "./proxy.ts";
import type { EdgeCommand, ProxyServer } from "./reconcile.ts";
import { RuntimeSocketError } from "./runtime-socket.ts";
import type { EdgeFacts } from "./source.ts";
import type { EdgeSnapshot } from "./snapshot.ts";

class FakeProxy implements Proxy {
  readonly servers = new Map<string, ProxyServer>();
  readonly commands: EdgeCommand[] = [];
  reads = 0;
  isUp = true;
  refuses: (command: EdgeCommand) => boolean = () => false;
  async read(): Promise<ProxyView> {
    this.reads++;
    if (!this.isUp) throw new RuntimeSocketError("Unreachable", "connect", "nobody listens");
    return { servers: [...this.servers.values()], share: "none", connections: 0, connectionLimit: 100 };
  }
  async endClients(): Promise<void> {}
  async run(command: EdgeCommand): Promise<string> {
    this.commands.push(command);
    if (this.refuses(command)) return "No.";
    const { key } = command;
    const current = this.servers.get(key);
    if (command.kind === "add") {
      const { address, port } = command.server;
      this.servers.set(key, { key, address, port, state: "maint", isCheckEnabled: false, sessions: 0 });
    } else if (command.kind === "delete") this.servers.delete(key);
    else if (current !== undefined && (command.kind === "set-state" || command.kind === "drain-anew")) {
      this.servers.set(key, { ...current, state: command.kind === "set-state" ? command.state : "drain" });
    } else if (current !== undefined) this.servers.set(key, { ...current, isCheckEnabled: true });
    return "";
  }
  async setShare(): Promise<void> {}
  async setAccepting(): Promise<void> {}
  onLost(): void {}
  close(): void {}
}

function pod(key: string, revision: string): ServerPod {
  return { key, address: "10.0.0.1", port: 1, adminPort: 2, revision, isEligible: true, isReady: true };
}

describe("the agent's loop", () => {
  let clock: FakeClock;
  let proxy: FakeProxy;
  let agent: EdgeAgent;
  let facts: EdgeFacts | undefined;
  let changed: () => void;
  let saved: EdgeSnapshot[];
  let saveError: Error | undefined;

  const set = (pods: ServerPod[], generation: number, ...takesNew: string[]): void => {
    facts = { pods, instructions: { generation, takesNew }, ageMs: 0 };
    changed();
  };
  const states = (): Record<string, string> =>
    Object.fromEntries([...proxy.servers.values()].map(({ key, state }) => [key, state]));

  beforeEach(async () => {
    clock = new FakeClock();
    proxy = new FakeProxy();
    facts = undefined;
    changed = () => {};
    saved = [];
    saveError = undefined;
    agent = new EdgeAgent({
      edge: "e",
      proxy,
      source: {
        start: () => {},
        stop: () => Promise.resolve(),
        read: () => facts,
        onChange: (handler) => void (changed = handler),
      },
      snapshots: {
        load: () => Promise.resolve(undefined),
        save: async (snapshot) => {
          if (saveError !== undefined) throw saveError;
          saved.push(snapshot);
        },
      },
      clock,
      log: { debug: () => {}, info: () => {}, warn: () => {} },
      counters: noCounts(),
    });
    await agent.start();
    await clock.advance(0);
  });

  afterEach(() => agent.stop());

  it("touches nothing before it knows pods or has a snapshot, and is not ready", async () => {
    await clock.advance(20_000);
    expect(proxy.commands).toEqual([]);
    expect(await agent.isReady()).toBe(false);
  });

  it("closes nobody while those who should take over cannot be opened, and does not acknowledge", async () => {
    set([pod("b", "blue")], 1, "blue");
    await clock.advance(50);
    proxy.refuses = (command) => command.kind === "add";
    set([pod("b", "blue"), pod("g", "green")], 2, "green");
    await clock.advance(3_000);
    expect(states()).toEqual({ b: "ready" });
    expect((await agent.state()).generation).toBe(1);
    proxy.refuses = () => false;
    await clock.advance(2_000);
    expect(states()).toEqual({ b: "drain", g: "ready" });
    expect((await agent.state()).generation).toBe(2);
  });

  it("makes one pass of many changes within 50 ms, and sends nothing when nothing changed", async () => {
    const before = proxy.reads;
    for (let count = 1; count <= 100; count++) set([pod("b", "blue")], count, "blue");
    await clock.advance(50);
    // One look before and one after the commands.
    expect(proxy.reads - before).toBe(2);
    expect(states()).toEqual({ b: "ready" });
    const sent = proxy.commands.length;
    await clock.advance(60_000);
    expect(proxy.commands.length).toBe(sent);
    expect(saved.length).toBe(1);
  });

  it("is not put off by changes that never end", async () => {
    for (let count = 1; count <= 5; count++) {
      set([pod("b", "blue")], count, "blue");
      await clock.advance(10);
    }
    expect(states()).toEqual({ b: "ready" });
  });

  it("finds at the resync what no event told", async () => {
    set([pod("b", "blue")], 1, "blue");
    await clock.advance(50);
    proxy.servers.clear();
    await clock.advance(5_100);
    expect(states()).toEqual({ b: "ready" });
  });

  it("tries again soon, and not at full speed, while the proxy is away", async () => {
    proxy.isUp = false;
    set([pod("b", "blue")], 1, "blue");
    const before = proxy.reads;
    await clock.advance(60_000);
    expect(proxy.reads - before).toBeGreaterThan(50);
    expect(proxy.reads - before).toBeLessThan(75);
    proxy.isUp = true;
    await clock.advance(1_000);
    expect(states()).toEqual({ b: "ready" });
  });

  it("goes on when the snapshot cannot be written, and writes it when it can", async () => {
    saveError = new Error("ENOSPC");
    set([pod("b", "blue")], 1, "blue");
    await clock.advance(50);
    expect(states()).toEqual({ b: "ready" });
    expect((await agent.state()).generation).toBe(1);
    saveError = undefined;
    await clock.advance(5_100);
    expect(saved.map(({ memory }) => memory.generation)).toEqual([1]);
  });
});
