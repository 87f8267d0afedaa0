// The configuration of a kind cluster, as text: two workers and an audit log that this machine can read. Pure.
import { stringify } from "yaml";

export const KIND_CLUSTER = "wscluster";
export const KIND_CONTROL_PLANE = `${KIND_CLUSTER}-control-plane`;
export const KIND_WORKERS = [`${KIND_CLUSTER}-worker`, `${KIND_CLUSTER}-worker2`] as const;

const AUDIT_FOLDER = "/var/log/wscluster-audit";
const POLICY_FOLDER = "/etc/wscluster";

/** `stateFolder` holds `audit-policy.yaml` and gets `audit/audit.log`. */
export function kindConfig(stateFolder: string): string {
  const apiServerPatch = {
    kind: "ClusterConfiguration",
    apiServer: {
      // The list form is kubeadm's v1beta4, which kind 0.33 renders for its own Kubernetes. It replaces kind's list, which is empty here.
      extraArgs: [
        { name: "audit-policy-file", value: `${POLICY_FOLDER}/audit-policy.yaml` },
        { name: "audit-log-path", value: `${AUDIT_FOLDER}/audit.log` },
      ],
      extraVolumes: [
        {
          name: "audit-policy",
          hostPath: POLICY_FOLDER,
          mountPath: POLICY_FOLDER,
          readOnly: true,
          pathType: "Directory",
        },
        { name: "audit-log", hostPath: AUDIT_FOLDER, mountPath: AUDIT_FOLDER, pathType: "DirectoryOrCreate" },
      ],
    },
  };
  return stringify({
    kind: "Cluster",
    apiVersion: "kind.x-k8s.io/v1alpha4",
    name: KIND_CLUSTER,
    nodes: [
      {
        role: "control-plane",
        kubeadmConfigPatches: [stringify(apiServerPatch)],
        extraMounts: [
          { hostPath: `${stateFolder}/policy`, containerPath: POLICY_FOLDER, readOnly: true },
          { hostPath: `${stateFolder}/audit`, containerPath: AUDIT_FOLDER },
        ],
      },
      ...KIND_WORKERS.map(() => ({ role: "worker" })),
    ],
  });
}
