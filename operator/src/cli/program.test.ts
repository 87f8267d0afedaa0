import { describe, expect, it } from "vitest";
import { type CliPorts, programFor } from "./program.ts";
import { storyOf, tableOf } from "./status.ts";

function cli(env: Record<string, string> = {}) {
  const calls: unknown[] = [];
  const codes: number[] = [];
  const note = (call: unknown): number => calls.push(call);
  const ports: CliPorts = {
    env,
    run: (options) => Promise.resolve(void note(options)).then(() => 3),
    agent: (given) => Promise.resolve(void note(given)).then(() => 4),
    plan: (options) => Promise.resolve(void note(options)).then(() => ["a plan"]),
    status: (options) => Promise.resolve(void note(options)).then(() => ["a status"]),
    print: (line) => void note(line),
    onExit: (code) => void codes.push(code),
  };
  const program = programFor(ports).exitOverride();
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => undefined });
  return { calls, codes, parse: (...words: string[]) => program.parseAsync(["node", "operator", ...words]) };
}

describe("the command line", () => {
  it("takes the environment, and flags before it", async () => {
    const { calls, codes, parse } = cli({
      WSC_NAMESPACES: "a, b",
      WSC_WORKERS: "2",
      KUBERNETES_SERVICE_HOST: "10.0.0.1",
    });
    await parse("run", "--workers", "9", "--edge-image", "haproxy:9");
    expect(calls[0]).toMatchObject({
      inCluster: true,
      config: { WSC_NAMESPACES: ["a", "b"], WSC_WORKERS: 9, WSC_EDGE_IMAGE: "haproxy:9", WSC_HTTP_PORT: 8080 },
    });
    expect(codes).toEqual([3]);
  });

  it("prefers a given kubeconfig to the pod's account", async () => {
    const { calls, parse } = cli({ KUBERNETES_SERVICE_HOST: "10.0.0.1" });
    await parse("run", "--kubeconfig", "/tmp/config");
    expect(calls[0]).toMatchObject({ inCluster: false, kubeconfigPath: "/tmp/config" });
  });

  it("says which setting is wrong", async () => {
    await expect(cli({ WSC_WORKERS: "many" }).parse("run")).rejects.toThrow(/WSC_WORKERS/);
    await expect(cli().parse("run", "--no-such-flag")).rejects.toThrow(/unknown option/);
  });

  it("hands its environment to the agent, and prints what is read", async () => {
    const agent = cli({ WSC_CLUSTER: "chat" });
    await agent.parse("agent");
    expect([agent.calls, agent.codes]).toEqual([[{ WSC_CLUSTER: "chat" }], [4]]);
    const status = cli();
    await status.parse("status", "chat", "-n", "apps");
    expect(status.calls).toEqual([{ namespace: "apps", name: "chat" }, "a status"]);
    const plan = cli();
    await plan.parse("plan", "chat", "-f", "chat.yaml");
    expect(plan.calls).toMatchObject([{ namespace: "default", name: "chat", file: "chat.yaml" }, "a plan"]);
  });
});

describe("status", () => {
  const cluster = (status: unknown) => ({
    apiVersion: "wscluster.io/v1alpha1",
    kind: "WebSocketCluster",
    metadata: { name: "chat", namespace: "apps", uid: "u", resourceVersion: "1" },
    status,
  });

  it("lines up columns, also for a fleet without a status", () => {
    expect(tableOf([cluster({ ready: "3/3", active: "blue (chat:1)", connections: 500 }), cluster(undefined)])).toEqual(
      [
        "NAMESPACE  NAME  READY  ACTIVE         CANDIDATE  CONNECTIONS  MOVING",
        "apps       chat  3/3    blue (chat:1)  -          500          -",
        "apps       chat  -      -              -          0            -",
      ],
    );
  });

  it("never shows a number that nobody knows", () => {
    const set = { revision: "r", color: "blue", role: "stable", image: "chat:1", replicas: 3, ready: 2 };
    expect(storyOf(cluster({ sets: [set] }))).toEqual([
      "apps/chat",
      "  blue r stable: 2/3 ready, unknown connections, chat:1",
    ]);
  });
});
