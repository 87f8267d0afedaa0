// A real API server and the real controllers of ReplicaSets and budgets, with simulated nodes. No scheduler and no kubelet: kubelet.ts.
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ApiServer, findProgram, missingForApiServer, startApiServer } from "@wscluster/crds/testing";
import { run } from "@wscluster/e2e";

/** Whose writes are counted. */
export const CONTROLLER_USER = "controller";
const MANAGER_USER = "controller-manager";
const NODES = 20;
const AT_ONCE = 16;

export type ControlPlane = {
  readonly api: ApiServer;
  readonly nodes: readonly string[];
  readonly kubeconfig: string;
  applyFiles(files: readonly string[]): Promise<void>;
  close(): Promise<void>;
};

/** Why the bench cannot run here, or undefined when it can. */
export function missingForBench(): string | undefined {
  const missing = ["kube-controller-manager", "kubectl"].map((name) => findProgram(name)).find((one) => !one.found);
  return missingForApiServer() ?? (missing?.found === false ? missing.reason : undefined);
}

export async function startControlPlane(): Promise<ControlPlane> {
  const api = await startApiServer({ users: [CONTROLLER_USER, MANAGER_USER] });
  const manager = spawn(
    pathOf("kube-controller-manager"),
    [
      `--kubeconfig=${api.kubeconfigFor(MANAGER_USER)}`,
      "--controllers=replicaset-controller,disruption-controller",
      "--leader-elect=false",
      "--secure-port=0",
      // Its defaults would pace the bench instead of the operator.
      ...["--kube-api-qps=2000", "--kube-api-burst=4000", "--concurrent-replicaset-syncs=20"],
    ],
    { stdio: ["ignore", "ignore", openSync(join(dirname(api.auditLog), "controller-manager.log"), "w")] },
  );
  const ended = new Promise<void>((resolve) => manager.once("close", () => resolve()));
  const close = async (): Promise<void> => {
    manager.kill("SIGKILL");
    await ended;
    await api[Symbol.asyncDispose]();
  };
  try {
    const nodes = Array.from({ length: NODES }, (_, index) => `node-${index}`);
    for (const name of nodes) {
      await create(api, "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name } });
    }
    const kubeconfig = api.kubeconfigFor(CONTROLLER_USER);
    const applyFiles = async (files: readonly string[]): Promise<void> => {
      const named = files.map((file) => `--filename=${file}`);
      await run([pathOf("kubectl"), `--kubeconfig=${kubeconfig}`, "apply", "--server-side", ...named]);
      const wait = ["wait", "--for=condition=Established", "--timeout=30s", ...named];
      await run([pathOf("kubectl"), `--kubeconfig=${kubeconfig}`, ...wait]);
    };
    return { api, nodes, kubeconfig, applyFiles, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function pathOf(name: string): string {
  const program = findProgram(name);
  if (!program.found) throw new Error(`cannot start ${name}: ${program.reason}`);
  return program.path;
}

export async function create(api: ApiServer, path: string, body: unknown): Promise<void> {
  const { status, body: answer } = await api.send("POST", path, body);
  if (status !== 201) throw new Error(`cannot create ${path}: ${status} ${JSON.stringify(answer).slice(0, 300)}`);
}

/** Some at once: one after another the API server would mostly wait. */
export async function forEach<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let item = rest.shift(); item !== undefined; item = rest.shift()) await act(item);
    }),
  );
}
