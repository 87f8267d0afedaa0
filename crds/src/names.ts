// Labels, annotations and object names that operator, edge agent, command line and tests share. Not here: the resource schema.

export const GROUP = "wscluster.io";
export const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;
export const KIND = "WebSocketCluster";
export const PLURAL = "websocketclusters";
export const REBALANCE_KIND = "WebSocketRebalance";
export const REBALANCE_PLURAL = "websocketrebalances";

export const LABELS = {
  /** Name of the WebSocketCluster, on every object that belongs to it. */
  cluster: `${GROUP}/cluster`,
  /** `server`, `edge` or `redis`. */
  component: `${GROUP}/component`,
  /** Hash of the pod template: one ReplicaSet each. */
  revision: `${GROUP}/revision`,
  /** `attached`: counted by its ReplicaSet; `draining`: detached and on its way out. */
  set: `${GROUP}/set`,
  /** `active` | `preview` | `none`: who may send new connections here. */
  traffic: `${GROUP}/traffic`,
} as const;

export const ANNOTATIONS = {
  /** Facts on a ReplicaSet that cannot be derived; written before the act they announce. */
  role: `${GROUP}/role`,
  color: `${GROUP}/color`,
  attempt: `${GROUP}/attempt`,
  step: `${GROUP}/step`,
  /** RFC 3339, by the API server's clock. */
  startedAt: `${GROUP}/started-at`,
  switchedAt: `${GROUP}/switched-at`,
  movedAt: `${GROUP}/moved-at`,
  /** How far a rollout in steps is, as JSON. */
  trial: `${GROUP}/trial`,
  /** On the ReplicaSet of an aborted attempt: REASON, a colon, and the text for people. Gone when another revision is wanted. */
  aborted: `${GROUP}/aborted`,
  /** Begin of the restart (`restartAt`) that made this ReplicaSet, RFC 3339. */
  restartedAt: `${GROUP}/restarted-at`,
  /** On a detached pod: the kind of intent that it leaves for. Absent: scaleDown. */
  leavesFor: `${GROUP}/leaves-for`,
  /** On a detached pod: when it was detached, RFC 3339. Its deadline counts from here. */
  drainingSince: `${GROUP}/draining-since`,
  rendererVersion: `${GROUP}/renderer-version`,
  template: `${GROUP}/template`,
  image: `${GROUP}/image`,
  /** The parts of the specification that made this ReplicaSet, as JSON: the way back to it. */
  source: `${GROUP}/source`,
  /** Hash of the last applied intent, so that a removed field is noticed. */
  appliedHash: `${GROUP}/applied-hash`,
  /** On the WebSocketCluster: fencing epoch, the installation that holds it, and which term of leadership there wrote it. */
  epoch: `${GROUP}/operator-epoch`,
  installation: `${GROUP}/operator-installation`,
  term: `${GROUP}/operator-term`,
} as const;

/** Names of the children of cluster `name`; at most 63 characters because `name` has at most 40. */
export const childNames = (name: string) => ({
  /** Service in front of the edge: where clients connect. */
  service: name,
  /** Headless Service over all server pods. */
  servers: `${name}-servers`,
  preview: `${name}-preview`,
  edge: `${name}-edge`,
  /** ConfigMap with the edge's instructions. */
  edgeInstructions: `${name}-edge`,
  /** ConfigMap with haproxy.cfg. */
  edgeConfig: `${name}-edge-config`,
  /** ConfigMap with the servers' live configuration. */
  config: `${name}-config`,
  /** Secret with the admin and ticket keys. */
  keys: `${name}-keys`,
  serverAccount: `${name}-server`,
  edgeAccount: `${name}-edge`,
  drainingBudget: `${name}-draining`,
});

/** Ports inside the pods unless the spec says otherwise. */
export const PORTS = { server: 8080, serverAdmin: 8081, edge: 8000, edgeAdmin: 8001, edgeHealth: 8002 } as const;

/** Names of the container ports of a server pod. The edge reads the numbers there, so that two revisions may differ in them. */
export const PORT_NAMES = { server: "ws", serverAdmin: "admin" } as const;
