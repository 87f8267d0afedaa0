// The kind driver: Kubernetes in containers of a Docker engine. Docker builds the images, kind makes the nodes and loads them.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { connect } from "node:net";
import type { StepReport } from "../../terminal/progress.ts";
import { assertGo, buildPart, partPath } from "../build/go-binaries.ts";
import { isOnPath, poll, run, tryRun } from "../command.ts";
import type { ClusterDriver, ClusterStatus, ImageBuild, ServiceAccess } from "../driver.ts";
import { ClusterError } from "../errors.ts";
import { createKubectl, readPod, readService, type Kubectl } from "../kubectl.ts";
import { auditPolicy } from "../local/config.ts";
import { withLock } from "../lock.ts";
import { archivePath, stateDirectory } from "../paths.ts";
import { PARTS } from "../versions.ts";
import { KIND_CLUSTER, KIND_CONTROL_PLANE, KIND_WORKERS, kindConfig } from "./config.ts";

const FORWARD_TIMEOUT_MS = 15_000;
const TOOLS = ["kind", "kubectl", "helm"] as const;
const NODES = [KIND_CONTROL_PLANE, ...KIND_WORKERS];

export function createKindDriver(reason: string): ClusterDriver {
  const state = stateDirectory("kind");
  const kubeconfig = join(state, "kubeconfig");
  const kubectl = createKubectl(partPath("kubectl"), kubeconfig);
  const kind = (...args: readonly string[]) => [partPath("kind"), ...args];

  async function status(): Promise<ClusterStatus> {
    const listed = await tryRun([
      "docker",
      "ps",
      "--all",
      "--filter",
      `label=io.x-k8s.kind.cluster=${KIND_CLUSTER}`,
      "--format",
      "{{.Names}} {{.State}}",
    ]);
    const containers = new Map(
      listed.stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split(" ") as [string, string]),
    );
    if (containers.size === 0) return { state: "down", components: [], nodes: [] };
    const components = NODES.map((name) => ({
      name,
      state: containers.get(name) === "running" ? ("running" as const) : ("ended" as const),
    }));
    const nodes = await kubectl.nodes().catch(() => []);
    const isUp = components.every((component) => component.state === "running");
    const areReady = nodes.length === NODES.length && nodes.every((node) => node.ready);
    return { state: isUp && areReady ? "up" : "degraded", components, nodes };
  }

  return {
    name: "kind",
    reason,
    stateDirectory: state,
    kubeconfig,
    kubectlPath: partPath("kubectl"),
    helmPath: partPath("helm"),
    auditLog: join(state, "audit", "audit.log"),

    async up(progress, signal) {
      await withLock(`${state}.lock`, async () => {
        const tools = TOOLS.filter((name) => !existsSync(partPath(name)));
        const before = tools.length === 0 ? await status() : undefined;
        progress.begin(tools.length + 1);
        if (tools.length > 0) await assertGo();
        for (const name of tools) await buildPart(PARTS[name], progress, signal);
        await progress.step("kind cluster", "creating", async (report) => {
          if ((before ?? (await status())).state === "up") return report.done("runs already, reused");
          await run(kind("delete", "cluster", "--name", KIND_CLUSTER), { signal });
          await prepareState(state);
          const config = ["--config", join(state, "kind.yaml"), "--kubeconfig", kubeconfig, "--wait", "180s"];
          const onLine = (line: string) => report.doing(line.replace(/[^\x20-\x7e]/g, "").trim() || "creating");
          try {
            await run(kind("create", "cluster", ...config), { signal, onLine });
          } catch (error) {
            if (signal?.aborted) await removeContainers(state);
            throw error;
          }
          report.done("created");
        });
      });
    },

    async down(progress) {
      await withLock(`${state}.lock`, async () => {
        progress.begin(1);
        await progress.step("kind cluster", "taking down", async (report) => {
          const count = await removeContainers(state);
          report.done(count > 0 ? "taken down" : "nothing to take down");
        });
      });
    },

    status,

    async logFiles() {
      const folder = join(state, "logs");
      await mkdir(folder, { recursive: true });
      const files = new Map<string, string>();
      for (const name of NODES) {
        const answer = await tryRun(["docker", "exec", name, "journalctl", "--no-pager", "--lines=5000"]);
        if (answer.status !== 0) continue;
        await writeFile(join(folder, `${name}.log`), answer.stdout);
        files.set(name, join(folder, `${name}.log`));
      }
      return files;
    },

    async buildImage(build: ImageBuild, _report: StepReport, signal?: AbortSignal) {
      const archive = archivePath(build.reference);
      if (existsSync(archive)) return archive;
      const options = { signal, code: "IMAGE_BUILD_FAILED" } as const;
      const buildArguments = Object.entries(build.arguments).flatMap(([name, value]) => [
        "--build-arg",
        `${name}=${value}`,
      ]);
      await run(
        ["docker", "build", "--file", build.dockerfile, "--tag", build.reference, ...buildArguments, build.context],
        options,
      );
      await mkdir(dirname(archive), { recursive: true });
      const partial = `${archive}.${process.pid}.partial`;
      await run(["docker", "save", "--output", partial, build.reference], options);
      await rename(partial, archive);
      return archive;
    },

    async loadImage(_reference, archive) {
      await run(kind("load", "image-archive", archive, "--name", KIND_CLUSTER));
    },

    async loadedImages() {
      const lists = await Promise.all(
        KIND_WORKERS.map((name) => run(["docker", "exec", name, "ctr", "--namespace", "k8s.io", "images", "ls", "-q"])),
      );
      const [first = [], ...others] = lists.map((list) => list.split("\n").filter(Boolean));
      return new Set(first.filter((name) => others.every((names) => names.includes(name))));
    },

    async imageBaseKey() {
      return "public";
    },

    async openService(namespace, service, port) {
      const { nodePort } = await readService(kubectl, namespace, service, port);
      const worker = (await kubectl.nodes()).find((node) => node.name === KIND_WORKERS[0]);
      // On Linux the machine reaches the nodes' addresses; Docker Desktop hides them, so a forwarder has to do.
      if (nodePort !== undefined && worker && process.platform === "linux")
        return { host: worker.address, port: nodePort, close: async () => undefined };
      return forwardPort(kubectl, partPath("kubectl"), kubeconfig, namespace, service, port);
    },

    async signalContainer(namespace, pod, container, signal) {
      const { node, containerId } = await readPod(kubectl, namespace, pod, container);
      await run(["docker", "exec", node, "ctr", "--namespace", "k8s.io", "task", "kill", "-s", signal, containerId]);
    },
  };
}

/** Removes the cluster's containers, found by kind's label: works without the kind program and after a crash. */
async function removeContainers(state: string): Promise<number> {
  const label = `label=io.x-k8s.kind.cluster=${KIND_CLUSTER}`;
  const found = await run(["docker", "ps", "--all", "--quiet", "--filter", label]);
  const containers = found.split("\n").filter(Boolean);
  if (containers.length > 0) await run(["docker", "rm", "--force", "--volumes", ...containers]);
  await rm(state, { recursive: true, force: true });
  return containers.length;
}

async function prepareState(state: string): Promise<void> {
  if (!(await isOnPath("docker")))
    throw new ClusterError("TOOL_MISSING", "cannot make a kind cluster: no `docker` on the PATH");
  await mkdir(join(state, "policy"), { recursive: true });
  await mkdir(join(state, "audit"), { recursive: true });
  await writeFile(join(state, "policy", "audit-policy.yaml"), auditPolicy());
  await writeFile(join(state, "kind.yaml"), kindConfig(state));
}

async function forwardPort(
  kubectl: Kubectl,
  program: string,
  kubeconfig: string,
  namespace: string,
  service: string,
  port: number,
): Promise<ServiceAccess> {
  await readService(kubectl, namespace, service, port);
  const local = await freePort();
  const child = spawn(
    program,
    [
      `--kubeconfig=${kubeconfig}`,
      "port-forward",
      `--namespace=${namespace}`,
      `service/${service}`,
      `${local}:${port}`,
    ],
    {
      stdio: "ignore",
    },
  );
  const answered = await poll(async () => ((await accepts(local)) ? true : undefined), FORWARD_TIMEOUT_MS);
  const close = async () => void child.kill();
  if (answered) return { host: "127.0.0.1", port: local, close };
  await close();
  throw new ClusterError("SERVICE_UNKNOWN", `cannot forward a port to ${namespace}/${service}:${port}: no answer`);
}

function freePort(): Promise<number> {
  return new Promise((resolvePromise, reject) => {
    const server = createServer();
    server.on("error", reject).listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolvePromise(port));
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolvePromise) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolvePromise(socket.destroy() !== undefined)).on("error", () => resolvePromise(false));
  });
}
