import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../runtime/index.ts";
import {
  answerJson,
  answerStatus,
  listJson,
  openStream,
  type ScriptedServer,
  sendLine,
  startScriptedServer,
} from "../kube/testing/scripted-server.ts";
import { OperatorSwitches } from "./switches.ts";

let server: ScriptedServer | undefined;
let switches: OperatorSwitches | undefined;

afterEach(async () => {
  await switches?.stop();
  await server?.close();
});

const map = (version: number, data?: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "op", namespace: "sys", uid: "u", resourceVersion: String(version) },
  ...(data === undefined ? {} : { data }),
});

async function begin(script: Parameters<typeof startScriptedServer>[0]) {
  server = await startScriptedServer(script);
  switches = new OperatorSwitches({
    client: server.client,
    clock: systemClock,
    random: () => 0.5,
    namespace: "sys",
    name: "op",
    onProblem: () => undefined,
  });
  const turns: boolean[] = [];
  switches.start((paused) => turns.push(paused));
  return { switches, turns, server };
}

describe("the operator's switches", () => {
  it("are followed live, and told only when they turn", async () => {
    const {
      switches: of,
      turns,
      server: api,
    } = await begin((request, response) => {
      if (!request.isWatch) return answerJson(response, listJson(1, []));
      openStream(response);
      sendLine(response, { type: "ADDED", object: map(2, { movesPaused: "true" }) });
      sendLine(response, { type: "MODIFIED", object: map(3, { movesPaused: "true", other: "x" }) });
      sendLine(response, { type: "MODIFIED", object: map(4, { movesPaused: "false" }) });
      sendLine(response, { type: "MODIFIED", object: map(5, { movesPaused: "yes" }) });
      sendLine(response, { type: "DELETED", object: map(6, { movesPaused: "yes" }) });
    });
    await expect.poll(() => turns).toEqual([true, false, true, false]);
    expect(await of.settle(1_000)).toBe(true);
    expect(of.movesPaused).toBe(false);
    expect(api.lists[0]?.url.pathname).toBe("/api/v1/namespaces/sys/configmaps");
    expect(api.lists[0]?.url.searchParams.get("fieldSelector")).toBe("metadata.name=op");
  });

  it("are off where they may not be read, and nobody waits for them for ever", async () => {
    const { switches: of } = await begin((_request, response) => answerStatus(response, 403, "Forbidden"));
    expect(await of.settle(50)).toBe(false);
    expect(of.movesPaused).toBe(false);
  });
});
