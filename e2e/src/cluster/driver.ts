// What a cluster has to offer to the commands, scenarios and the demo, whichever way it is made. Implementations: kind/, local/.
import type { Progress, StepReport } from "../terminal/progress.ts";

type ComponentStatus = { readonly name: string; readonly pid?: number; readonly state: "running" | "ended" };

export type NodeStatus = {
  readonly name: string;
  readonly ready: boolean;
  readonly address: string;
  readonly version: string;
  readonly pods: number;
};

export type ClusterStatus = {
  /** `up`: every component runs and every node is Ready. `down`: nothing is there. Else `degraded`. */
  readonly state: "up" | "degraded" | "down";
  readonly components: readonly ComponentStatus[];
  readonly nodes: readonly NodeStatus[];
};

/** A way into a Service from this process. Close it when done: it may hold a forwarder. */
export type ServiceAccess = { readonly host: string; readonly port: number; close(): Promise<void> };

/** How an image of the product gets its base here. */
export type ImageBase = "haproxy" | "node" | "redis";

export interface ClusterDriver {
  readonly name: "kind" | "local";
  /** Why this driver was chosen, for people. */
  readonly reason: string;
  readonly stateDirectory: string;
  readonly kubeconfig: string;
  /** Programs of the cluster's own version; they exist once `up` has run. */
  readonly kubectlPath: string;
  readonly helmPath: string;
  /** The API server's audit log: one JSON object a line, level Metadata, stage ResponseComplete and later. */
  readonly auditLog: string;
  /** A network namespace on the cluster's network for load generators, where the driver has one (`nsenter --net=PATH`). */
  readonly clientNetworkNamespace?: string;

  /**
   * Brings the cluster up, or reuses the healthy one that is there; a half-dead one is taken down first. When `signal` aborts,
   * what was begun is taken down before this throws `INTERRUPTED`; after any other failure it stays, so that its logs can be read.
   */
  up(progress: Progress, signal?: AbortSignal): Promise<void>;
  /** Takes everything down that `up` has made, also what a crashed run left. Does nothing when nothing is there. */
  down(progress: Progress): Promise<void>;
  status(): Promise<ClusterStatus>;
  /** Log files by component; `kubectl logs` is for pods. */
  logFiles(): Promise<ReadonlyMap<string, string>>;
  /** Builds an image from a Dockerfile of this repository and returns an archive of it that `loadImage` takes. */
  buildImage(build: ImageBuild, report: StepReport, signal?: AbortSignal): Promise<string>;
  /** Brings an image archive (docker-archive or OCI) to every node. */
  loadImage(reference: string, archive: string): Promise<void>;
  /** References of the images that every node has. */
  loadedImages(): Promise<ReadonlySet<string>>;
  /** Identifies the bases that images are built on here; part of the images' tags. */
  imageBaseKey(): Promise<string>;
  /** A host and port of this machine's network at which a Service's port answers. */
  openService(namespace: string, service: string, port: number): Promise<ServiceAccess>;
  /** Sends a signal (for example SIGKILL, SIGSTOP, SIGCONT) to the first process of a container, past the API server. */
  signalContainer(namespace: string, pod: string, container: string, signal: NodeJS.Signals): Promise<void>;
}

export type ImageBuild = {
  /** Full reference, `REPOSITORY:TAG`. */
  readonly reference: string;
  readonly dockerfile: string;
  /** Folder that the Dockerfile's COPY lines see. */
  readonly context: string;
  readonly base: ImageBase;
  readonly arguments: Readonly<Record<string, string>>;
};
