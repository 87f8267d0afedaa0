// Identities: servers get none at the API, the edge agent may read what it follows, and no more.
import { childNames } from "@wscluster/crds";
import type { Manifest } from "../../../kube/index.ts";
import { edgeRulesFor } from "./edge.ts";
import { type ClusterId, metadataFor } from "./labels.ts";

export function accountsFor(cluster: ClusterId, withEdge: boolean): Manifest[] {
  const names = childNames(cluster.name);
  const server: Manifest = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: metadataFor(cluster, names.serverAccount, "server"),
    automountServiceAccountToken: false,
  };
  if (!withEdge) return [server];
  return [
    server,
    {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: metadataFor(cluster, names.edgeAccount, "edge"),
      automountServiceAccountToken: false,
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: metadataFor(cluster, names.edgeAccount, "edge"),
      rules: edgeRulesFor(cluster),
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: metadataFor(cluster, names.edgeAccount, "edge"),
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: names.edgeAccount },
      subjects: [{ kind: "ServiceAccount", name: names.edgeAccount, namespace: cluster.namespace }],
    },
  ];
}
