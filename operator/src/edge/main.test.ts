// The agent put together, over HTTP, with a real HAProxy: what the operator and the kubelet see.
import { EDGE_PATHS } from "@wscluster/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { edgeConfigSchema } from "./config.ts";
import { runAgent, startAgent, type RunningAgent } from "./main.ts";
import type { EdgeFacts, EdgeSource } from "./source.ts";
import { HAPROXY, startHaproxy, until, type TestHaproxy } from "./testing/haproxy.ts";

const UID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const KEY = "0123456789abcdef";

describe.skipIf(HAPROXY === undefined)("startAgent", () => {
  let haproxy: TestHaproxy;
  let running: RunningAgent;
  let facts: EdgeFacts | undefined;

  const ask = async (path: string): Promise<{ status: number; body: string }> => {
    const response = await fetch(`http://127.0.0.1:${running.port}${path}`);
    return { status: response.status, body: await response.text() };
  };

  beforeEach(async () => {
    haproxy = await startHaproxy(UID);
    facts = undefined;
    let changed = (): void => {};
    const source: EdgeSource = {
      start: () => setImmediate(() => changed()),
      stop: () => Promise.resolve(),
      read: () => facts,
      onChange: (handler) => void (changed = handler),
    };
    const config = edgeConfigSchema.parse({
      WSC_CLUSTER: "chat",
      WSC_NAMESPACE: "demo",
      WSC_POD_UID: UID,
      WSC_HAPROXY_SOCKET: haproxy.runtimePath,
      WSC_EDGE_ADMIN_PORT: "0",
      WSC_LOG_LEVEL: "silent",
    });
    facts = {
      pods: [
        { key: KEY, address: "127.0.0.1", port: 9, adminPort: 9, revision: "blue", isEligible: true, isReady: true },
      ],
      instructions: { generation: 3, takesNew: ["blue"] },
      ageMs: 5,
    };
    running = await startAgent(config, () => source);
  });

  afterEach(async () => {
    await running.stop();
    await haproxy.dispose();
  });

  it("becomes ready when the proxy is programmed, acknowledges, and shows figures", async () => {
    await until(async () => (await ask(EDGE_PATHS.readyz)).status === 200, "it is ready");
    expect((await ask(EDGE_PATHS.livez)).status).toBe(200);
    expect(JSON.parse((await ask(EDGE_PATHS.state)).body)).toEqual({
      edge: "aaaaaaaabbbb4ccc",
      generation: 3,
      servers: { [KEY]: { state: "ready", address: "127.0.0.1:9", sessions: 0 } },
      connections: 0,
      sourceAgeMs: 5,
    });
    const { body } = await ask(EDGE_PATHS.metrics);
    expect(body).toContain('wscluster_edge_servers{state="ready"} 1');
    expect(body).toContain("wscluster_edge_generation 3");
    expect(Number(/^wscluster_edge_connections_limit (\d+)/m.exec(body)?.[1])).toBeGreaterThanOrEqual(1_000);
  });

  it("is alive but not ready without its proxy, and has no state to show", async () => {
    await until(async () => (await ask(EDGE_PATHS.readyz)).status === 200, "it is ready");
    await haproxy.kill();
    expect((await ask(EDGE_PATHS.livez)).status).toBe(200);
    expect((await ask(EDGE_PATHS.readyz)).status).toBe(503);
    expect((await ask(EDGE_PATHS.state)).status).toBe(503);
    expect((await ask(EDGE_PATHS.metrics)).body).toContain("wscluster_edge_up 0");
  });

  it("does nothing for a stranger who asks whether it is drained", async () => {
    await until(async () => (await ask(EDGE_PATHS.readyz)).status === 200, "it is ready");
    expect((await ask(EDGE_PATHS.drained)).status).toBe(503);
    expect((await ask(EDGE_PATHS.readyz)).status).toBe(200);
  });
});

describe("runAgent", () => {
  it("names every variable that is missing", async () => {
    await expect(runAgent({ WSC_CLUSTER: "chat" })).rejects.toMatchObject({
      code: "bad-config",
      message: expect.stringMatching(/WSC_NAMESPACE.*WSC_POD_UID/) as string,
    });
  });
});
