// The rival by name: Argo Rollouts, blue-green, as its documentation has it. Its controller is built from its Go module and runs beside
// the cluster. After the switch it leaves the old pods for `scaleDownDelaySeconds` and then deletes them.
import { join } from "node:path";
import { binaryPath, type ClusterAccess, type Progress, run } from "@wscluster/e2e";
import { buildProgram } from "../rivals/programs.ts";
import { type ListenedProcess, startListened } from "../rivals/listened-process.ts";
import { freePort } from "../rivals/running.ts";
import type { FleetSetup } from "./fleet.ts";
import { connectTo, labelsOf, podTemplateFor, type RivalFleet, serviceFor, untilOnly } from "./rival-pod.ts";

/** The newest that the Go of this project compiles. */
export const ARGO_VERSION = "1.10.0";
const MODULE = "github.com/argoproj/argo-rollouts";
const PART = {
  name: "argo-rollouts",
  version: ARGO_VERSION,
  package: `${MODULE}/cmd/rollouts-controller`,
  source: {
    build: `argo-rollouts-${ARGO_VERSION}`,
    requires: { [MODULE]: `v${ARGO_VERSION}` },
    staging: MODULE,
    variables: {},
  },
} as const;

const NAME = "argo";
const PREVIEW = `${NAME}-preview`;
const CRDS = ["rollout", "analysis-run", "analysis-template", "cluster-analysis-template", "experiment"];

function manifestFor(image: string, pods: number) {
  const labels = labelsOf(NAME);
  const rollout = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Rollout",
    metadata: { name: NAME },
    spec: {
      replicas: pods,
      selector: { matchLabels: labels },
      template: podTemplateFor(NAME, image),
      strategy: { blueGreen: { activeService: NAME, previewService: PREVIEW, autoPromotionEnabled: true } },
    },
  };
  return {
    apiVersion: "v1",
    kind: "List",
    items: [serviceFor(NAME, labels), serviceFor(PREVIEW, labels), rollout],
  };
}

/** Rejects with the reason where the controller cannot be had. */
export const buildArgo = (progress: Progress, signal: AbortSignal): Promise<void> =>
  buildProgram(PART, progress, signal);

export async function openArgo(
  access: ClusterAccess,
  namespace: string,
  image: string,
  setup: FleetSetup,
  signal: AbortSignal,
): Promise<RivalFleet> {
  const kubectl = (args: readonly string[], input = "") =>
    access.kubectl([...args, `--namespace=${namespace}`], { input });
  const crds = await crdFiles();
  const files = crds.map((file) => `--filename=${file}`);
  await access.kubectl(["apply", "--server-side", ...files]);
  const controller = await startController(access.driver.kubeconfig, [`--namespace=${namespace}`, "--namespaced"]);
  const close = async () => {
    await kubectl(["delete", "rollout.argoproj.io", NAME, "--ignore-not-found", "--wait=false"]);
    await kubectl(["delete", "service", NAME, PREVIEW, "--ignore-not-found", "--wait=false"]);
    await controller.stop();
    await access.kubectl(["delete", "--ignore-not-found", "--wait=false", ...files]);
  };
  const rolled = (wanted: string) =>
    untilOnly(access, { namespace, name: NAME, pods: setup.pods }, wanted, { signal, seen: controller.words });
  try {
    await kubectl(["apply", "--filename=-"], JSON.stringify(manifestFor(image, setup.pods)));
    await rolled(image);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    connect: (seed) => connectTo(access, { namespace, name: NAME }, setup, seed),
    async roll(next) {
      const patch = [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: next }];
      await kubectl(["patch", "rollout.argoproj.io", NAME, "--type=json", `--patch=${JSON.stringify(patch)}`]);
      await rolled(next);
    },
    close,
  };
}

export async function crdFiles(): Promise<string[]> {
  const answer = await run(["go", "mod", "download", "-json", `${MODULE}@v${ARGO_VERSION}`]);
  const { Dir: folder } = JSON.parse(answer) as { readonly Dir: string };
  return CRDS.map((name) => join(folder, "manifests", "crds", `${name}-crd.yaml`));
}

export async function startController(kubeconfig: string, more: readonly string[]): Promise<ListenedProcess> {
  const [metrics, health] = [await freePort(), await freePort()];
  const flags = [
    `--kubeconfig=${kubeconfig}`,
    "--leader-elect=false",
    `--metricsPort=${metrics}`,
    `--healthzPort=${health}`,
    "--loglevel=warn",
    ...more,
  ];
  return startListened(binaryPath(PART.name, PART.version), flags);
}
