// `plan-moves` against real servers, with a small API server in front that proxies to them as the real one does.
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SUBPROTOCOL } from "@wscluster/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Connection, KubeClient } from "../kube/index.ts";
import { systemClock } from "../runtime/index.ts";
import { planMovesAnswer } from "./plan-moves.ts";

const KEY = "an-admin-key-of-the-test";
const MAIN = new URL("../../../server/src/main.ts", import.meta.url).pathname;
const PODS = [
  { name: "chat-1", uid: "11111111-2222-4333-8444-555555555555" },
  { name: "chat-2", uid: "21111111-2222-4333-8444-555555555555" },
  { name: "chat-3", uid: "31111111-2222-4333-8444-555555555555" },
] as const;

type Running = { child: ChildProcess; port: number; adminPort: number };
const running = new Map<string, Running>();
const sockets: WebSocket[] = [];
let apiServer: Server;
let connection: Connection;
let api: KubeClient;
let secretKey = KEY;

async function startServer(uid: string): Promise<Running> {
  const child = spawn(process.execPath, ["--conditions=@wscluster/source", MAIN], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      WSC_HOST: "127.0.0.1",
      WSC_PORT: "0",
      WSC_ADMIN_PORT: "0",
      WSC_POD_UID: uid,
      WSC_ADMIN_KEYS: KEY,
      WSC_ANONYMOUS: "true",
    },
  });
  const ports = await new Promise<{ port: number; adminPort: number }>((resolve) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      for (const line of text.split("\n")) {
        if (line.includes('"adminPort"')) resolve(JSON.parse(line) as { port: number; adminPort: number });
      }
    });
  });
  return { child, ...ports };
}

const podObject = ({ name, uid }: (typeof PODS)[number]) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    namespace: "apps",
    uid,
    resourceVersion: "1",
    labels: { "wscluster.io/cluster": "chat", "wscluster.io/component": "server", "wscluster.io/set": "attached" },
  },
  spec: { containers: [{ name: "server", ports: [{ name: "admin", containerPort: 8081 }] }] },
  status: { phase: "Running" },
});

async function connect(port: number, user: string, caps: readonly string[]): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, SUBPROTOCOL);
  sockets.push(socket);
  await new Promise<void>((resolve) => {
    socket.onopen = () => socket.send(JSON.stringify({ t: "hello", user, producer: { id: "p", gen: 1 }, caps }));
    socket.onmessage = ({ data }) => {
      if (String(data).includes('"ready"')) resolve();
    };
  });
}

beforeAll(async () => {
  for (const { name, uid } of PODS.slice(0, 2)) running.set(name, await startServer(uid));
  apiServer = createServer((incoming, response) => {
    const { pathname } = new URL(incoming.url ?? "/", "http://api");
    const json = (body: unknown): void =>
      void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    const proxied = /^\/api\/v1\/namespaces\/apps\/pods\/([^:/]+):8081\/proxy(\/.*)$/.exec(pathname);
    const one = /^\/api\/v1\/namespaces\/apps\/pods\/([^:/]+)$/.exec(pathname)?.[1];
    if (proxied !== null) {
      const port = running.get(proxied[1] ?? "")?.adminPort;
      if (port === undefined) return void response.writeHead(503).end('{"kind":"Status","message":"no route"}');
      const { host: _host, ...headers } = incoming.headers;
      const onward = request(
        { host: "127.0.0.1", port, path: proxied[2], method: incoming.method, headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 0, answer.headers);
          answer.pipe(response);
        },
      );
      incoming.pipe(onward);
    } else if (one !== undefined) json(PODS.filter(({ name }) => name === one).map(podObject)[0]);
    else if (pathname.endsWith("/pods"))
      json({ kind: "PodList", metadata: { resourceVersion: "9" }, items: PODS.map(podObject) });
    else
      json({
        kind: "Secret",
        metadata: { name: "chat-keys" },
        data: { admin: Buffer.from(`${secretKey},older`).toString("base64") },
      });
  });
  await new Promise<void>((resolve) => apiServer.listen(0, "127.0.0.1", resolve));
  const server = `http://127.0.0.1:${(apiServer.address() as AddressInfo).port}`;
  connection = new Connection({ server, credentials: () => Promise.resolve({ headers: {}, tls: {} }) }, systemClock);
  api = new KubeClient({ connection, clock: systemClock, fieldManager: "test" });
  await connect(running.get("chat-1")?.port ?? 0, "ann", ["migrate", "resume"]);
  await connect(running.get("chat-1")?.port ?? 0, "bob", []);
}, 30_000);
afterAll(async () => {
  for (const socket of sockets) socket.close();
  await connection.close();
  apiServer.closeAllConnections();
  apiServer.close();
  for (const { child } of running.values()) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }
});

describe("plan-moves", () => {
  it("names users, where they would go and who cannot be asked, and moves nobody", async () => {
    const { data, lines, code } = await planMovesAnswer({ api, namespace: "apps" }, "chat-1", 1);
    expect(code).toBe(0);
    expect(data).toMatchObject({
      pod: "chat-1",
      cluster: "chat",
      connections: 2,
      targets: [{ pod: "chat-2", count: 2 }],
    });
    expect(data).toMatchObject({
      moves: [
        { user: "ann", can: "migrate", to: "chat-2" },
        { user: "bob", can: "plain", to: "chat-2" },
      ],
      unknown: [{ pod: "chat-3" }],
    });
    expect(lines.slice(0, 2)).toEqual([
      "chat-1: 2 connections; 2 to chat-2",
      "1 move without a break, 0 resume after a reconnect, 1 see a reconnect",
    ]);
    expect(lines.at(-2)).toMatch(/^ann +default +\S+ +moves without a break +\d+ s +0 +chat-2$/);
    expect(lines.at(-1)).toBe("... and 1 more (--limit, --json)");
    const state = await fetch(`http://127.0.0.1:${running.get("chat-1")?.adminPort}/contract/v1/state`);
    expect(await state.json()).toMatchObject({ connections: 2, moving: 0, refusedWrites: 0 });
  });

  it("is answered to nobody without the right key", async () => {
    secretKey = "another-admin-key-of-it";
    await expect(planMovesAnswer({ api, namespace: "apps" }, "chat-1", 1)).rejects.toThrow(/cannot post .*/);
    secretKey = KEY;
  });
});
