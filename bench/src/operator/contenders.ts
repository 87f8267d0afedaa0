// The controllers that are measured: ours from its sources, and Argo Rollouts. Each runs as one process beside the API server.
import { join } from "node:path";
import { API_VERSION, KIND, PLURAL } from "@wscluster/crds";
import { chatCluster } from "@wscluster/e2e";
import { type ListenedProcess, startListened } from "../rivals/listened-process.ts";
import { freePort } from "../rivals/running.ts";
import { crdFiles, startController } from "../rollout/argo-rollouts.ts";
import { create, type ControlPlane } from "./control-plane.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
export const MOVES_PER_SECOND = 200;

export type OperatorContender = {
  readonly name: string;
  /** Collection of its resource, without a namespace. */
  readonly group: string;
  readonly plural: string;
  readonly selector: string;
  prepare(plane: ControlPlane): Promise<void>;
  start(plane: ControlPlane): Promise<ListenedProcess>;
  create(plane: ControlPlane, namespace: string, image: string, pods: number): Promise<void>;
  imagePatch(image: string): unknown;
  isSettled(object: Settling, image: string, pods: number): boolean;
};

/** What both tell of themselves. */
export type Settling = {
  readonly metadata: { readonly generation: number };
  readonly spec?: unknown;
  readonly status?: {
    readonly observedGeneration?: number | string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly candidate?: string;
    readonly sets?: readonly { readonly image: string; readonly replicas: number }[];
    readonly phase?: string;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
  };
};

export const OURS: OperatorContender = {
  name: "wscluster",
  group: API_VERSION,
  plural: PLURAL,
  selector: "wscluster.io/cluster",
  prepare: (plane) =>
    plane.applyFiles(
      ["websocketclusters", "websocketrebalances"].map((name) => join(ROOT, "crds", `${name}.wscluster.io.yaml`)),
    ),
  async start(plane) {
    await create(plane.api, "/api/v1/namespaces", namespaceNamed("wscluster-system"));
    const main = join(ROOT, "operator", "src", "main.ts");
    const port = await freePort();
    const flags = [`--kubeconfig=${plane.kubeconfig}`, `--http-port=${port}`, "--log-level=warn"];
    const profile = process.env["WSC_BENCH_PROFILE"];
    const node = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
    return startListened(process.execPath, ["--conditions=@wscluster/source", ...node, main, "run", ...flags]);
  },
  async create({ api }, namespace, image, pods) {
    const manifest = chatCluster({
      namespace,
      image,
      redisUrl: "redis://redis:6379",
      replicas: pods,
      edgeReplicas: 1,
      maxPerSecond: MOVES_PER_SECOND,
      retainSeconds: 0,
    });
    await create(api, `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}`, { ...manifest, kind: KIND });
  },
  imagePatch: (image) => ({ spec: { server: { image } } }),
  isSettled({ metadata, status }, image, pods) {
    const sets = (status?.sets ?? []).filter(({ replicas }) => replicas > 0);
    const isReady = status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
    return (
      status?.observedGeneration === metadata.generation &&
      isReady &&
      status.candidate === undefined &&
      status.replicas === pods &&
      sets.length === 1 &&
      sets[0]?.image === image
    );
  },
};

const ARGO_LABELS = { "bench.wscluster.io/name": "argo" };

export const ARGO_OPERATOR: OperatorContender = {
  name: "argo-rollouts",
  group: "argoproj.io/v1alpha1",
  plural: "rollouts",
  selector: "bench.wscluster.io/name",
  prepare: async (plane) => plane.applyFiles(await crdFiles()),
  async start(plane) {
    await create(plane.api, "/api/v1/namespaces", namespaceNamed("argo-rollouts"));
    // As generous as the controller manager has it: its own 40 a second would be measured instead.
    return startController(plane.kubeconfig, ["--qps=2000", "--burst=4000"]);
  },
  async create({ api }, namespace, image, pods) {
    for (const name of ["chat", "chat-preview"]) {
      await create(api, `/api/v1/namespaces/${namespace}/services`, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name },
        spec: { selector: ARGO_LABELS, ports: [{ port: 80 }] },
      });
    }
    await create(api, `/apis/argoproj.io/v1alpha1/namespaces/${namespace}/rollouts`, {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Rollout",
      metadata: { name: "chat" },
      spec: {
        replicas: pods,
        selector: { matchLabels: ARGO_LABELS },
        template: { metadata: { labels: ARGO_LABELS }, spec: { containers: [{ name: "server", image }] } },
        strategy: { blueGreen: { activeService: "chat", previewService: "chat-preview", scaleDownDelaySeconds: 1 } },
      },
    });
  },
  imagePatch: (image) => ({ spec: { template: { spec: { containers: [{ name: "server", image }] } } } }),
  isSettled: ({ metadata, status }, _image, pods) =>
    String(status?.observedGeneration) === String(metadata.generation) &&
    status?.phase === "Healthy" &&
    status.replicas === pods &&
    status.updatedReplicas === pods,
};

export function namespaceNamed(name: string) {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}
