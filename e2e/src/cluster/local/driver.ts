// The local driver: a real two-node Kubernetes on one Linux machine, as root, without Docker. The parts are in the files beside.
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, rm, statfs, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Progress, StepReport } from "../../terminal/progress.ts";
import { installPackages, missingPackages } from "../build/debian.ts";
import { assertGo, buildPart, missingParts, partPath } from "../build/go-binaries.ts";
import { poll } from "../command.ts";
import type { ClusterDriver, ClusterStatus, ImageBuild, NodeStatus } from "../driver.ts";
import { ClusterError } from "../errors.ts";
import { createKubectl, readPod, readService } from "../kubectl.ts";
import { withLock } from "../lock.ts";
import { archivePath, cacheDirectory, stateDirectory } from "../paths.ts";
import { isAlive, readRecords } from "../processes.ts";
import { DEBIAN_PACKAGES, LOCAL_PARTS, PARTS } from "../versions.ts";
import { baseImage, ensureBaseImage } from "./base-image.ts";
import { buildArchive } from "./buildah.ts";
import { componentNames } from "./components.ts";
import { startApiServer, startControllers, isApiReady } from "./control-plane.ts";
import { createLauncher, type Launcher } from "./launcher.ts";
import {
  CLIENT,
  LAYOUT_REVISION,
  NODES,
  OWNER_FILE,
  namespacePath,
  nodeLayout,
  stateLayout,
  type StateLayout,
} from "./layout.ts";
import { createNetwork } from "./network.ts";
import { importImage, listImages, signalTask } from "./node-images.ts";
import { startNode, startRuntime } from "./node.ts";
import { pauseArchive } from "./pause.ts";
import { createPki } from "./pki.ts";
import { readDockerArchive, writeThinArchive } from "./thin-archive.ts";
import { hasAnything, takeDown } from "./teardown.ts";

const NODES_TIMEOUT_MS = 90_000;
const BUILD_DISK_BYTES = 6 * 1024 ** 3;

export function createLocalDriver(reason: string): ClusterDriver {
  const layout = stateLayout(stateDirectory("local"));
  const kubectl = createKubectl(partPath("kubectl"), layout.kubeconfig);
  const sockets = () => NODES.map((node) => nodeLayout(layout.root, node).socket);

  async function status(): Promise<ClusterStatus> {
    const records = readRecords(layout.pids);
    if (records.length === 0 && !(await hasAnything(layout))) return { state: "down", components: [], nodes: [] };
    const components = componentNames(NODES).map((name) => {
      const record = records.find((candidate) => candidate.name === name);
      return record && isAlive(record)
        ? { name, pid: record.pid, state: "running" as const }
        : { name, state: "ended" as const };
    });
    const nodes = (await isApiReady(layout)) ? await kubectl.nodes() : [];
    const isUp = components.every((component) => component.state === "running") && areReady(nodes);
    return { state: isUp ? "up" : "degraded", components, nodes };
  }

  return {
    name: "local",
    reason,
    stateDirectory: layout.root,
    kubeconfig: layout.kubeconfig,
    kubectlPath: partPath("kubectl"),
    helmPath: partPath("helm"),
    auditLog: layout.auditLog,
    clientNetworkNamespace: namespacePath(CLIENT.namespace),

    async up(progress, signal) {
      assertMachine();
      await withLock(layout.lock, async () => {
        if (await isReusable(layout, status)) {
          progress.begin(1);
          await progress.step(`Kubernetes ${PARTS.kubelet.version}`, "checking", async (report) =>
            report.done("runs already, reused"),
          );
          return;
        }
        assertOwner(layout);
        try {
          await create(layout, progress, () => kubectl.nodes(), signal);
        } catch (error) {
          if (signal?.aborted) await takeDownStep(layout, progress);
          throw error;
        }
      });
    },

    async down(progress) {
      assertMachine();
      await withLock(layout.lock, async () => {
        assertOwner(layout);
        await takeDownStep(layout, progress);
      });
    },

    status,

    async logFiles() {
      if (!existsSync(layout.logs)) return new Map();
      const names = (await readdir(layout.logs)).filter((name) => name.endsWith(".log")).toSorted();
      return new Map(names.map((name) => [basename(name, ".log"), join(layout.logs, name)]));
    },

    async buildImage(build: ImageBuild, report: StepReport, signal?: AbortSignal) {
      const base = await ensureBaseImage(report, signal);
      const archive = archivePath(build.reference);
      if (existsSync(archive)) return archive;
      const whole = `${archive}.${process.pid}.whole`;
      try {
        const withBase = { ...build.arguments, BASE: base.reference };
        await buildArchive({ ...build, arguments: withBase, archive: whole }, signal);
        const layers = (await readDockerArchive(base.archive, signal))?.layers ?? [];
        await writeThinArchive(whole, build.reference, new Set(layers.map((layer) => layer.digest)), archive, signal);
      } finally {
        await rm(whole, { force: true });
      }
      return archive;
    },

    async loadImage(reference, archive) {
      const base = baseImage();
      await Promise.all(
        sockets().map(async (socket) => {
          // Our own archives lack the layers of the base, so it has to be there first.
          const needsBase = archive === archivePath(reference) && !(await listImages(socket)).includes(base.reference);
          if (needsBase) await importImage(socket, base.archive);
          await importImage(socket, archive);
        }),
      );
    },

    async loadedImages() {
      const [first = [], ...others] = await Promise.all(sockets().map((socket) => listImages(socket)));
      return new Set(first.filter((name) => others.every((names) => names.includes(name))));
    },

    async imageBaseKey() {
      return baseImage().reference;
    },

    async openService(namespace, service, port) {
      // The machine routes the Service network through a node, so a cluster address answers here as it does in a pod.
      const { clusterIP } = await readService(kubectl, namespace, service, port);
      return { host: clusterIP, port, close: async () => undefined };
    },

    async signalContainer(namespace, pod, container, signal) {
      const { node, containerId } = await readPod(kubectl, namespace, pod, container);
      const host = NODES.find((candidate) => candidate.name === node);
      if (!host)
        throw new ClusterError(
          "CONTAINER_UNKNOWN",
          `cannot signal ${container} of ${namespace}/${pod}: no node ${node}`,
        );
      await signalTask(nodeLayout(layout.root, host).socket, containerId, signal);
    },
  };
}

async function takeDownStep(layout: StateLayout, progress: Progress): Promise<void> {
  progress.begin(1);
  await progress.step("cluster", "taking down", async (report) => {
    if (!(await hasAnything(layout))) return report.done("nothing to take down");
    await takeDown(layout);
    report.done("taken down");
  });
}

/** Builds what is missing, then starts everything; each phase is a progress step. */
async function create(
  layout: StateLayout,
  progress: Progress,
  readNodes: () => Promise<readonly NodeStatus[]>,
  signal?: AbortSignal,
): Promise<void> {
  const packages = missingPackages(DEBIAN_PACKAGES);
  const parts = missingParts(LOCAL_PARTS);
  const isStale = await hasAnything(layout);
  progress.begin(parts.length + 4 + (packages.length > 0 ? 1 : 0) + (isStale ? 1 : 0));
  if (isStale) {
    await progress.step("remains of an earlier cluster", "removing", async (report) => {
      await takeDown(layout);
      report.done("removed");
    });
  }
  if (packages.length > 0) {
    await progress.step(`Debian packages ${packages.join(", ")}`, "installing", async (report) => {
      await installPackages(packages, signal);
      report.done("installed");
    });
  }
  if (parts.length > 0) await assertBuildable();
  for (const part of parts) await buildPart(part, progress, signal);

  for (const folder of [layout.pki, layout.logs, layout.pids]) await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(OWNER_FILE, `${layout.root}\n`);
  await writeFile(layout.marker, markerText());
  const launcher = createLauncher(layout);
  await progress.step("network and keys", "creating", async (report) => {
    await Promise.all([createNetwork(signal), createPki(layout.pki, signal)]);
    report.done("created");
  });
  await progress.step("API server and container runtimes", "starting", async (report) => {
    const pause = await pauseArchive(signal);
    await Promise.all([
      startApiServer(layout, launcher, signal),
      ...NODES.map((node) => startRuntime(layout, node, launcher, [pause])),
    ]);
    report.done("started");
  });
  await progress.step("controllers, scheduler, name server", "starting", async (report) => {
    await startControllers(layout, launcher, signal);
    report.done("started");
  });
  await progress.step(`nodes ${NODES.map((node) => node.name).join(", ")}`, "waiting until Ready", async (report) => {
    for (const node of NODES) startNode(layout, node, launcher);
    await waitForNodes(launcher, readNodes, signal);
    report.done("Ready");
  });
}

async function waitForNodes(
  launcher: Launcher,
  readNodes: () => Promise<readonly NodeStatus[]>,
  signal?: AbortSignal,
): Promise<void> {
  const ready = await poll(
    async () => {
      for (const name of componentNames(NODES)) launcher.assertRunning(name);
      return areReady(await readNodes().catch(() => [])) ? true : undefined;
    },
    NODES_TIMEOUT_MS,
    250,
    signal,
  );
  if (!ready)
    throw new ClusterError("NODE_NOT_READY", `cannot use the nodes: not all Ready after ${NODES_TIMEOUT_MS / 1000} s`);
}

function areReady(nodes: readonly NodeStatus[]): boolean {
  return NODES.every((node) => nodes.some((candidate) => candidate.name === node.name && candidate.ready));
}

/** A running cluster is reused only if it is whole and of the set-up that this code would make. */
async function isReusable(layout: StateLayout, status: () => Promise<ClusterStatus>): Promise<boolean> {
  if (!existsSync(layout.marker) || readFileSync(layout.marker, "utf8") !== markerText()) return false;
  return (await status()).state === "up";
}

function markerText(): string {
  const versions = Object.fromEntries(LOCAL_PARTS.map((name) => [name, PARTS[name].version]));
  return `${JSON.stringify({ layout: LAYOUT_REVISION, versions }, undefined, 2)}\n`;
}

function assertMachine(): void {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new ClusterError(
      "UNSUPPORTED_PLATFORM",
      `cannot run the local cluster on ${process.platform}-${process.arch}`,
    );
  if (process.getuid?.() !== 0)
    throw new ClusterError("NOT_ROOT", "cannot make network namespaces and cgroups: not root");
}

/** Names of bridge, namespaces and cgroups exist once a machine: never take another state folder's cluster for remains. */
function assertOwner(layout: StateLayout): void {
  const owner = existsSync(OWNER_FILE) ? readFileSync(OWNER_FILE, "utf8").trim() : layout.root;
  if (owner === layout.root || !existsSync(owner)) return;
  throw new ClusterError(
    "OTHER_CLUSTER",
    `cannot use this machine's cluster names: the cluster with state in ${owner} holds them`,
  );
}

async function assertBuildable(): Promise<void> {
  await assertGo();
  await mkdir(cacheDirectory(), { recursive: true });
  const disk = await statfs(cacheDirectory());
  const free = disk.bavail * disk.bsize;
  if (free < BUILD_DISK_BYTES)
    throw new ClusterError(
      "DISK_FULL",
      `cannot build Kubernetes in ${cacheDirectory()}: ${Math.round(free / 1024 ** 2)} MiB are free, 6 GiB needed`,
    );
}
