{{/* What the operator may do in a namespace that it works in. One verb list per kind; no wildcard. */}}
{{- define "wscluster.namespaceRules" -}}
# The resource itself: spec is read, annotations hold the fencing epoch, status is written through its own path.
- apiGroups: [wscluster.io]
  resources: [websocketclusters]
  verbs: [get, list, watch, patch]
- apiGroups: [wscluster.io]
  resources: [websocketclusters/status]
  verbs: [get, patch, update]
# Where the API server guards owner references, blocking deletion needs this.
- apiGroups: [wscluster.io]
  resources: [websocketclusters/finalizers]
  verbs: [update]
# Proposals to even out load: made, reported on, and removed when they are old.
- apiGroups: [wscluster.io]
  resources: [websocketrebalances]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [wscluster.io]
  resources: [websocketrebalances/status]
  verbs: [get, patch, update]
# Whether somebody else scales a cluster as well.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list]
# Pods are born from ReplicaSets; the operator labels, detaches and removes them.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch, delete]
# Read before a rollout, to say at once that its pods would find no room.
- apiGroups: [""]
  resources: [resourcequotas]
  verbs: [get, list]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# Keys of a cluster. They are watched by label, but a permission cannot be limited to a label: use watchNamespaces where
# the operator must not be able to read the Secrets of other namespaces.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# For the edge agents: only permissions that the operator has itself can be given on (no escalate, no bind).
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
