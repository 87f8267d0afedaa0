// Images and containers of a node, through containerd's own client. The namespace `k8s.io` is the one that the kubelet sees.
import { run } from "../command.ts";

function ctr(socket: string, args: readonly string[]): string[] {
  return ["ctr", "--address", socket, "--namespace", "k8s.io", ...args];
}

export async function importImage(socket: string, archive: string): Promise<void> {
  await run(ctr(socket, ["images", "import", archive]));
}

export async function listImages(socket: string): Promise<string[]> {
  const names = await run(ctr(socket, ["images", "ls", "-q"]));
  return names.split("\n").filter((name) => name !== "" && !name.startsWith("sha256:"));
}

export async function signalTask(socket: string, container: string, signal: NodeJS.Signals): Promise<void> {
  await run(ctr(socket, ["task", "kill", "-s", signal, container]));
}
