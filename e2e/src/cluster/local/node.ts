// One node of the local cluster: containerd, kubelet and kube-proxy in the node's network namespace.
import { mkdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { poll, run } from "../command.ts";
import { ClusterError } from "../errors.ts";
import { createCgroup } from "./cgroups.ts";
import { cniConfig, containerdConfig, kubeletConfig } from "./config.ts";
import { containerd, kubeProxy, kubelet } from "./components.ts";
import { nodeLayout, type LocalNode, type StateLayout } from "./layout.ts";
import type { Launcher } from "./launcher.ts";
import { importImage } from "./node-images.ts";

const CONTAINERD_TIMEOUT_MS = 20_000;

/** Starts the container runtime of a node and gives it the images that pods need before any other. */
export async function startRuntime(
  state: StateLayout,
  node: LocalNode,
  launcher: Launcher,
  archives: readonly string[],
): Promise<void> {
  const folders = nodeLayout(state.root, node);
  for (const folder of [folders.cni, folders.run, folders.kubelet]) await mkdir(folder, { recursive: true });
  await writeFile(`${folders.cni}/10-pods.conflist`, cniConfig(node, folders));
  await writeFile(folders.containerdConfig, containerdConfig(folders));
  await writeFile(folders.kubeletConfig, kubeletConfig(node, folders, `${state.pki}/ca.crt`));
  await writeFile(folders.resolvConf, "");
  createCgroup(node.name);
  const component = containerd(state.root, node);
  launcher.start(component, node.namespace);
  const answered = await poll(
    async () =>
      existsSync(folders.socket) && (await isAnswering(folders.socket)) ? true : launcher.assertRunning(component.name),
    CONTAINERD_TIMEOUT_MS,
  );
  if (!answered)
    throw new ClusterError("NODE_NOT_READY", `cannot start ${node.name}: containerd does not answer on its socket`);
  for (const archive of archives) await importImage(folders.socket, archive);
}

/** Starts what makes a node of it; the API server has to answer. */
export function startNode(state: StateLayout, node: LocalNode, launcher: Launcher): void {
  launcher.start(kubelet(state, node), node.namespace);
  launcher.start(kubeProxy(state, node), node.namespace);
}

async function isAnswering(socket: string): Promise<boolean> {
  try {
    await run(["ctr", "--address", socket, "--connect-timeout", "1s", "version"]);
    return true;
  } catch {
    return false;
  }
}
