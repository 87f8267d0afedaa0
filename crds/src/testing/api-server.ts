// A real API server with its store, on loopback, for tests. No node, no controller: it judges objects and keeps them, that is all.
// Not here: a whole cluster (e2e/src/cluster).

import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./programs.ts";

export type ApiAnswer = { readonly status: number; readonly body: unknown };

export type SendOptions = {
  /** Of the body; JSON unless given. */
  readonly contentType?: string;
  readonly accept?: string;
  /** User to act as; a member of system:masters unless given. */
  readonly as?: string;
};

export type ApiServerOptions = {
  /** Further members of system:masters, told apart in the audit log. */
  readonly users?: readonly string[];
};

export type ApiServer = AsyncDisposable & {
  readonly url: string;
  readonly token: string;
  /** PEM of the certificate that it serves. */
  readonly certificate: string;
  /** One JSON line for each finished request that may have changed something. */
  readonly auditLog: string;
  /** Path of a kubeconfig for one of `users`. */
  kubeconfigFor(user: string): string;
  send(method: string, path: string, body?: unknown, options?: SendOptions): Promise<ApiAnswer>;
};

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 5_000;
const LOG_TAIL_CHARACTERS = 2_000;

/** Why no API server can be started here, or undefined when it can. */
export function missingForApiServer(): string | undefined {
  for (const name of ["kube-apiserver", "etcd"]) {
    const program = findProgram(name);
    if (!program.found) return program.reason;
  }
  return undefined;
}

/** Starts etcd and kube-apiserver on random loopback ports; both and their folder are gone after dispose. */
export async function startApiServer({ users = [] }: ApiServerOptions = {}): Promise<ApiServer> {
  const folder = mkdtempSync(join(tmpdir(), "wsc-api-"));
  const children: ChildProcess[] = [];
  const dispose = async () => {
    await Promise.all(children.map(stopProcess));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const [client, peer, port] = await Promise.all([freePort(), freePort(), freePort()]);
    const tokens = new Map(["test", ...users].map((user) => [user, randomBytes(16).toString("hex")]));
    const token = tokens.get("test") ?? "";
    const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const keyFile = join(folder, "accounts.key");
    writeFileSync(keyFile, keys.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const rows = [...tokens].map(([user, secret]) => `${secret},${user},${user},system:masters\n`);
    writeFileSync(join(folder, "tokens.csv"), rows.join(""), { mode: 0o600 });
    writeFileSync(join(folder, "audit.json"), JSON.stringify(AUDIT_POLICY));
    const etcd = `http://127.0.0.1:${client}`;
    children.push(launch("etcd", etcdArguments(folder, etcd, `http://127.0.0.1:${peer}`), folder));
    const api = launch("kube-apiserver", apiServerArguments(folder, keyFile, etcd, port), folder);
    children.push(api);
    const connected = await connect(folder, port, token, api);
    const kubeconfigFor = (user: string): string => {
      const file = join(folder, `${user}.kubeconfig.json`);
      writeFileSync(file, kubeconfig({ ...connected, token: tokens.get(user) ?? "" }), { mode: 0o600 });
      return file;
    };
    return { ...connected, auditLog: join(folder, AUDIT_LOG), kubeconfigFor, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const AUDIT_LOG = "audit.log";
const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "None", verbs: ["get", "list", "watch"] }, { level: "Metadata" }],
};

/** JSON is YAML. */
function kubeconfig(access: { readonly url: string; readonly certificate: string; readonly token: string }): string {
  const certificate = Buffer.from(access.certificate).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: access.url, "certificate-authority-data": certificate } }],
    users: [{ name: "test", user: { token: access.token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  });
}

function etcdArguments(folder: string, client: string, peer: string): string[] {
  return [
    `--data-dir=${join(folder, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // The store lives as long as the test: waiting for the disk would buy nothing.
    "--unsafe-no-fsync",
    "--log-level=error",
  ];
}

function apiServerArguments(folder: string, keyFile: string, etcd: string, port: number): string[] {
  return [
    `--etcd-servers=${etcd}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${port}`,
    // Makes its own certificate there.
    `--cert-dir=${folder}`,
    `--token-auth-file=${join(folder, "tokens.csv")}`,
    `--audit-policy-file=${join(folder, "audit.json")}`,
    `--audit-log-path=${join(folder, AUDIT_LOG)}`,
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${keyFile}`,
    `--service-account-signing-key-file=${keyFile}`,
    "--service-cluster-ip-range=10.96.0.0/16",
    // Nothing makes the default account of a namespace here.
    "--disable-admission-plugins=ServiceAccount",
    "--endpoint-reconciler-type=none",
  ];
}

function launch(name: string, args: readonly string[], folder: string): ChildProcess {
  const program = findProgram(name);
  if (!program.found) throw new Error(`cannot start ${name}: ${program.reason}`);
  const log = openSync(logFile(folder, name), "w");
  const child = spawn(program.path, args, { stdio: ["ignore", log, log] });
  closeSync(log);
  child.on("error", () => undefined);
  return child;
}

async function connect(folder: string, port: number, token: string, child: ChildProcess) {
  const deadline = Date.now() + START_DEADLINE_MS;
  const url = `https://127.0.0.1:${port}`;
  const tail = () => readFileSync(logFile(folder, "kube-apiserver"), "utf8").slice(-LOG_TAIL_CHARACTERS);
  while (Date.now() < deadline) {
    if (child.exitCode !== null)
      throw new Error(`cannot start kube-apiserver: it ended with ${child.exitCode}\n${tail()}`);
    try {
      const certificate = readFileSync(join(folder, "apiserver.crt"), "utf8");
      const agent = new Agent({ ca: certificate, keepAlive: true });
      const send: ApiServer["send"] = (method, path, body, options = {}) =>
        exchange(agent, `${url}${path}`, method, headersFor(token, options), body);
      const ready = await send("GET", "/readyz");
      // Not before this are the built-in roles there, and a namespace for the objects.
      const namespace = await send("GET", "/api/v1/namespaces/default");
      if (ready.status === 200 && namespace.status === 200) return { url, token, certificate, send };
    } catch (error) {
      if (!isNotUpYet(error)) throw error;
    }
    await sleep(100);
  }
  throw new Error(`cannot start kube-apiserver: not ready within ${START_DEADLINE_MS / 1000} s\n${tail()}`);
}

function isNotUpYet(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNREFUSED" || code === "ECONNRESET" || code === "ENOENT";
}

function headersFor(token: string, options: SendOptions): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    "content-type": options.contentType ?? "application/json",
    accept: options.accept ?? "application/json",
    ...(options.as !== undefined && { "impersonate-user": options.as }),
  };
}

async function exchange(
  agent: Agent,
  url: string,
  method: string,
  headers: Record<string, string>,
  body: unknown,
): Promise<ApiAnswer> {
  const outgoing = request(url, { agent, method, headers });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  const [incoming] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  const isJson = String(incoming.headers["content-type"]).includes("json");
  return { status: incoming.statusCode ?? 0, body: isJson ? JSON.parse(text) : text };
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  // A graceful end of the API server waits for watches, up to a minute; nothing here is worth keeping.
  child.kill("SIGKILL");
  await Promise.race([ended, sleep(STOP_DEADLINE_MS, undefined, { ref: false })]);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("cannot find a free port: no address");
  return address.port;
}

function logFile(folder: string, name: string): string {
  return join(folder, `${name}.log`);
}
