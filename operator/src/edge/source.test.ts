// The watches of the agent against an API server that answers as told.
import { LABELS } from "@wscluster/crds";
import { afterEach, describe, expect, it } from "vitest";
import {
  answerJson,
  openStream,
  sendLine,
  startScriptedServer,
  type ScriptedServer,
} from "../kube/testing/scripted-server.ts";
import { systemClock } from "../runtime/index.ts";
import { kubeSource, type EdgeSource } from "./source.ts";
import { until } from "./testing/haproxy.ts";

const podObject = (version: string, ready: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "chat-1",
    namespace: "demo",
    uid: "12345678-9abc-4def-8123-456789abcdef",
    resourceVersion: version,
    labels: { [LABELS.revision]: "blue", [LABELS.set]: "attached", [LABELS.traffic]: "active" },
  },
  spec: { containers: [] },
  status: { podIP: "10.1.2.3", phase: "Running", conditions: [{ type: "Ready", status: ready }] },
});
const configMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "chat-edge", namespace: "demo", uid: "u", resourceVersion: "5" },
  data: { "state.json": '{"generation":2,"takesNew":["blue"]}' },
};

describe("kubeSource", () => {
  let server: ScriptedServer | undefined;
  let source: EdgeSource | undefined;

  afterEach(async () => {
    await source?.stop();
    await server?.close();
  });

  it("asks for its own pods and its one ConfigMap, knows nothing before both came, and follows changes", async () => {
    let mayList = false;
    const sent: (() => void)[] = [];
    server = await startScriptedServer((request, response) => {
      const isPods = request.url.pathname.endsWith("/pods");
      if (request.isWatch) {
        openStream(response);
        if (isPods) sent.push(() => sendLine(response, { type: "MODIFIED", object: podObject("7", "False") }));
        return;
      }
      if (isPods) answerJson(response, { metadata: { resourceVersion: "6" }, items: [podObject("6", "True")] });
      else if (mayList) answerJson(response, { metadata: { resourceVersion: "6" }, items: [configMap] });
      else answerJson(response, { kind: "Status", code: 503, reason: "ServiceUnavailable" }, 503);
    });
    source = kubeSource({
      client: server.client,
      clock: systemClock,
      random: () => 0.5,
      namespace: "demo",
      cluster: "chat",
      ports: { port: 8_080, adminPort: 8_081 },
    });
    const current = source;
    let changes = 0;
    current.onChange(() => changes++);
    current.start();
    await until(() => sent.length === 1, "the pods are watched");
    expect(current.read()).toBeUndefined();
    mayList = true;
    await until(() => current.read() !== undefined, "both were read");
    expect(current.read()).toMatchObject({
      pods: [{ key: "123456789abc4def", isReady: true, port: 8_080 }],
      instructions: { generation: 2, takesNew: ["blue"] },
    });
    sent[0]?.();
    await until(() => current.read()?.pods[0]?.isReady === false, "the change came");
    expect(changes).toBe(3);
    expect(current.read()?.ageMs).toBeLessThan(10_000);
    const asked = server.lists.map(({ url }) => [
      url.pathname,
      url.searchParams.get("labelSelector"),
      url.searchParams.get("fieldSelector"),
    ]);
    expect(asked).toContainEqual([
      "/api/v1/namespaces/demo/pods",
      `${LABELS.cluster}=chat,${LABELS.component}=server`,
      null,
    ]);
    expect(asked).toContainEqual(["/api/v1/namespaces/demo/configmaps", null, "metadata.name=chat-edge"]);
  });
});
