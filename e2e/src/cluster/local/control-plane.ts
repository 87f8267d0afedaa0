// The control plane of the local cluster: etcd, API server, controllers, scheduler and name server in one network namespace.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { poll, run, tryRun } from "../command.ts";
import { partPath } from "../build/go-binaries.ts";
import { ClusterError } from "../errors.ts";
import { apiServer, controllerManager, coredns, etcd, scheduler } from "./components.ts";
import { auditPolicy, corefile, dnsManifest } from "./config.ts";
import { CONTROL_PLANE, type StateLayout } from "./layout.ts";
import type { Launcher } from "./launcher.ts";

const API_TIMEOUT_MS = 90_000;

/** Starts etcd and the API server and returns when it is ready. */
export async function startApiServer(state: StateLayout, launcher: Launcher, signal?: AbortSignal): Promise<void> {
  await writeFile(state.auditPolicy, auditPolicy());
  launcher.start(etcd(state), CONTROL_PLANE.namespace);
  launcher.start(apiServer(state), CONTROL_PLANE.namespace);
  const ready = await poll(
    async () => {
      launcher.assertRunning("etcd");
      launcher.assertRunning("kube-apiserver");
      return (await isApiReady(state)) ? true : undefined;
    },
    API_TIMEOUT_MS,
    200,
    signal,
  );
  if (!ready)
    throw new ClusterError(
      "APISERVER_NOT_READY",
      `cannot reach the API server: not ready after ${API_TIMEOUT_MS / 1000} s`,
    );
}

/** Starts controllers, scheduler and name server; the API server has to answer. */
export async function startControllers(state: StateLayout, launcher: Launcher, signal?: AbortSignal): Promise<void> {
  launcher.start(controllerManager(state), CONTROL_PLANE.namespace);
  launcher.start(scheduler(state), CONTROL_PLANE.namespace);
  await run([partPath("kubectl"), `--kubeconfig=${state.kubeconfig}`, "apply", "--server-side", "-f", "-"], {
    input: dnsManifest(),
    signal,
  });
  await writeFile(state.corefile, corefile(join(state.pki, "dns.conf")));
  launcher.start(coredns(state), CONTROL_PLANE.namespace);
}

export async function isApiReady(state: StateLayout): Promise<boolean> {
  if (!existsSync(partPath("kubectl"))) return false;
  const request = ["get", "--raw", "/readyz", "--request-timeout=2s"];
  return (await tryRun([partPath("kubectl"), `--kubeconfig=${state.kubeconfig}`, ...request])).status === 0;
}
