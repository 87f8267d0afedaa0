// The plan against a model of the proxy that obeys commands like HAProxy does.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  commandText,
  isEmptyPlan,
  isProgrammed,
  planEdge,
  type EdgeCommand,
  type ProxyServer,
  type WantedServer,
} from "./reconcile.ts";

const keys = ["a", "b", "c", "d", "e"].map((letter) => letter.repeat(16));
const addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

const wantedServers: fc.Arbitrary<WantedServer[]> = fc.uniqueArray(
  fc.record({
    key: fc.constantFrom(...keys),
    address: fc.constantFrom(...addresses),
    port: fc.constantFrom(8_080, 9_090),
    checkPort: fc.constant(8_081),
    state: fc.constantFrom("ready" as const, "drain" as const),
  }),
  { selector: (server) => server.key },
);

const proxyServers: fc.Arbitrary<ProxyServer[]> = fc.uniqueArray(
  fc.record({
    key: fc.constantFrom(...keys),
    address: fc.constantFrom(...addresses),
    port: fc.constantFrom(8_080, 9_090),
    state: fc.constantFrom("ready" as const, "drain" as const, "maint" as const),
    isCheckEnabled: fc.boolean(),
    sessions: fc.nat(3),
  }),
  { selector: (server) => server.key },
);

/** What HAProxy does; throws where it would refuse. */
function obey(servers: readonly ProxyServer[], command: EdgeCommand): ProxyServer[] {
  const { key } = command;
  const current = servers.find((server) => server.key === key);
  const others = servers.filter((server) => server.key !== key);
  if (command.kind === "add") {
    if (current !== undefined) throw new Error(`add of ${key}: the name is taken`);
    const { address, port } = command.server;
    return [...others, { key, address, port, state: "maint", isCheckEnabled: false, sessions: 0 }];
  }
  if (current === undefined) throw new Error(`${command.kind} of ${key}: no such server`);
  switch (command.kind) {
    case "delete":
      if (current.state !== "maint" || current.sessions > 0) throw new Error(`delete of ${key}: in use`);
      return others;
    case "set-address":
      return [...others, { ...current, address: command.address, port: command.port }];
    case "enable-check":
      return [...others, { ...current, isCheckEnabled: true }];
    case "set-state":
      return [...others, { ...current, state: command.state }];
    case "drain-anew":
      return [...others, { ...current, state: "drain" }];
  }
}

const commandsOf = (wanted: WantedServer[], actual: ProxyServer[]): EdgeCommand[] => {
  const { open, close } = planEdge(wanted, actual);
  return [...open, ...close];
};
const readyOf = (servers: readonly { key: string; state: string }[]): Set<string> =>
  new Set(servers.filter((server) => server.state === "ready").map((server) => server.key));

describe("planEdge", () => {
  it("reaches what is wanted, and then has nothing to do", () => {
    fc.assert(
      fc.property(wantedServers, proxyServers, (wanted, actual) => {
        const after = commandsOf(wanted, actual).reduce<ProxyServer[]>(obey, actual);
        for (const { key, address, port, state } of wanted)
          expect(after.find((server) => server.key === key)).toMatchObject({
            address,
            port,
            state,
            isCheckEnabled: true,
          });
        const left = after.filter((server) => !wanted.some(({ key }) => key === server.key));
        expect(left.every((server) => server.state === "maint" && server.sessions > 0)).toBe(true);
        expect(isEmptyPlan(planEdge(wanted, after))).toBe(true);
        expect(isProgrammed(wanted, after)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("never takes out in between a pod that takes new ones before and after, nor leaves nobody", () => {
    fc.assert(
      fc.property(wantedServers, proxyServers, (wanted, actual) => {
        const [before, target] = [readyOf(actual), readyOf(wanted)];
        const kept = [...before].filter((key) => target.has(key));
        let servers = actual;
        for (const command of commandsOf(wanted, actual)) {
          servers = obey(servers, command);
          const now = readyOf(servers);
          expect(kept.every((key) => now.has(key))).toBe(true);
          if (before.size > 0 && target.size > 0) expect(now.size).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("deletes only what has no session, and never takes out what is wanted", () => {
    fc.assert(
      fc.property(wantedServers, proxyServers, (wanted, actual) => {
        const isWanted = (key: string): boolean => wanted.some((server) => server.key === key);
        const wrong = commandsOf(wanted, actual).filter((command) => {
          if (command.kind === "set-state") return command.state === "maint" && isWanted(command.key);
          if (command.kind !== "delete") return false;
          return isWanted(command.key) || actual.find(({ key }) => key === command.key)?.sessions !== 0;
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("never lets a server go into use for the first time as drained without having been ready", () => {
    const wanted: WantedServer = { key: "k", address: "10.0.0.1", port: 1, checkPort: 2, state: "drain" };
    const half: ProxyServer = { ...wanted, state: "maint", isCheckEnabled: true, sessions: 0 };
    expect(commandsOf([wanted], []).at(-1)).toEqual({ kind: "drain-anew", key: "k" });
    expect(commandsOf([wanted], [half])).toEqual([{ kind: "drain-anew", key: "k" }]);
  });

  it("finishes a server that an agent left half added", () => {
    const wanted: WantedServer = { key: "k", address: "10.0.0.1", port: 1, checkPort: 2, state: "ready" };
    const half: ProxyServer = { ...wanted, state: "maint", isCheckEnabled: false, sessions: 0 };
    expect(commandsOf([wanted], [half])).toEqual([
      { kind: "enable-check", key: "k" },
      { kind: "set-state", key: "k", state: "ready" },
    ]);
  });
});

describe("isProgrammed", () => {
  const wanted: WantedServer = { key: "k", address: "10.0.0.1", port: 1, checkPort: 2, state: "drain" };
  const has: ProxyServer = { ...wanted, state: "drain", isCheckEnabled: true, sessions: 4 };

  it("holds while a gone pod only waits for its last socket or for its deletion", () => {
    expect(isProgrammed([wanted], [has])).toBe(true);
    expect(isProgrammed([], [{ ...has, state: "maint" }])).toBe(true);
    expect(isProgrammed([], [{ ...has, state: "maint", sessions: 0 }])).toBe(true);
  });

  it("does not hold while a server is missing, in another state, elsewhere, or still in use", () => {
    expect(isProgrammed([wanted], [])).toBe(false);
    expect(isProgrammed([wanted], [{ ...has, state: "ready" }])).toBe(false);
    expect(isProgrammed([wanted], [{ ...has, address: "10.0.0.2" }])).toBe(false);
    expect(isProgrammed([], [has])).toBe(false);
  });
});

describe("commandText", () => {
  const server: WantedServer = { key: "k", address: "fd00::1", port: 80, checkPort: 81, state: "ready" };
  it.each<[EdgeCommand, string]>([
    [{ kind: "set-state", key: "k", state: "drain" }, "set server be_pods/k state drain"],
    [{ kind: "drain-anew", key: "k" }, "set server be_pods/k state ready; set server be_pods/k state drain"],
    [{ kind: "enable-check", key: "k" }, "enable health be_pods/k"],
    [{ kind: "delete", key: "k" }, "del server be_pods/k"],
    [{ kind: "set-address", key: "k", address: "fd00::2", port: 80 }, "set server be_pods/k addr fd00::2 port 80"],
  ])("%j", (command, text) => {
    expect(commandText(command)).toBe(text);
  });

  it("adds with a check that never closes a socket", () => {
    const text = commandText({ kind: "add", key: "k", server });
    expect(text).toMatch(/^add server be_pods\/k \[fd00::1\]:80 check port 81 /);
    expect(text).not.toContain("on-marked-down");
  });
});
