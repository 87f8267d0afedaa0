// What the edge reads in Kubernetes objects: server pods and the instructions. Pure parsers; unknown shapes give undefined.
import { LABELS, PORT_NAMES } from "@wscluster/crds";
import { podKey, type EdgeAdmissionWish, type EdgeInstructions } from "@wscluster/protocol";
import { z } from "zod";
import type { ConfigMap, Pod } from "../kube/index.ts";

export const INSTRUCTIONS_KEY = "state.json";

/** A server pod that a socket can be sent to. */
export type ServerPod = {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly adminPort: number;
  readonly revision: string;
  /** Takes unnamed arrivals if its revision does: attached, labelled active, not being deleted. */
  readonly isEligible: boolean;
  readonly isReady: boolean;
};

export type ServerPorts = { readonly port: number; readonly adminPort: number };

/** Undefined for a pod without address or one that ended. */
export function parseServerPod(
  pod: Pick<Pod, "metadata" | "spec" | "status">,
  ports: ServerPorts,
): ServerPod | undefined {
  const { metadata, spec, status } = pod;
  const address = status?.podIP;
  if (address === undefined || address === "" || status?.phase === "Succeeded" || status?.phase === "Failed")
    return undefined;
  const labels = metadata.labels ?? {};
  const named = new Map<string, number>();
  for (const container of spec?.containers ?? [])
    for (const port of container.ports ?? []) if (port.name !== undefined) named.set(port.name, port.containerPort);
  return {
    key: podKey(metadata.uid),
    address,
    port: named.get(PORT_NAMES.server) ?? ports.port,
    adminPort: named.get(PORT_NAMES.serverAdmin) ?? ports.adminPort,
    revision: labels[LABELS.revision] ?? "",
    isEligible:
      metadata.deletionTimestamp === undefined &&
      labels[LABELS.set] === "attached" &&
      labels[LABELS.traffic] === "active",
    isReady: (status?.conditions ?? []).some(({ type, status: value }) => type === "Ready" && value === "True"),
  };
}

const instructions = z.object({
  generation: z.int().min(0),
  takesNew: z.array(z.string()),
  share: z.object({ revision: z.string(), percent: z.int().min(1).max(99) }).optional(),
});

/** Undefined when the ConfigMap is absent or its content cannot be used: the edge then keeps what it has. */
export function parseInstructions(configMap: Pick<ConfigMap, "data"> | undefined): EdgeInstructions | undefined {
  const text = configMap?.data?.[INSTRUCTIONS_KEY];
  return text === undefined ? undefined : parseInstructionsText(text);
}

/** New connections per second that this edge may let in; undefined = as many as come. */
export function parseAdmission(configMap: Pick<ConfigMap, "data"> | undefined): number | undefined {
  const text = configMap?.data?.[ADMISSION_KEY];
  if (text === undefined) return undefined;
  try {
    const parsed = admission.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.perSecond : undefined;
  } catch {
    return undefined;
  }
}

const ADMISSION_KEY = "admission.json";
const admission: z.ZodType<EdgeAdmissionWish> = z.object({ perSecond: z.number().min(1) });

export function parseInstructionsText(text: string): EdgeInstructions | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = instructions.safeParse(value);
  if (!parsed.success) return undefined;
  const { generation, takesNew, share } = parsed.data;
  return { generation, takesNew, ...(share === undefined ? {} : { share }) };
}
