// What can go wrong with a cluster, as one table: code -> what the user does next. Thrown at this border only.

/** Each code with the next step for the user; the step is appended to every message. */
export const CLUSTER_ERRORS = {
  UNSUPPORTED_PLATFORM: "use Linux on x86-64, or a machine where a Docker engine answers",
  NOT_ROOT: "run the command as root (sudo), or start a Docker engine so that kind is used instead",
  GO_MISSING: "install Go 1.26 or newer (https://go.dev/dl) and put it on the PATH",
  GO_BUILD_FAILED: "check that the Go module proxy is reachable and that the disk has 6 GB free, then run it again",
  APT_FAILED: "install the named packages by hand, then run it again",
  APT_MISSING: "use a Debian or Ubuntu machine, install the named programs by hand, or start a Docker engine",
  TOOL_MISSING: "install the named program and put it on the PATH",
  COMMAND_FAILED: "the lines above are the program's own words",
  DISK_FULL: "free some space, or point XDG_CACHE_HOME and WSCLUSTER_STATE at a bigger disk",
  BUSY: "wait for the other command to end",
  OTHER_CLUSTER: "take that cluster down first, with the WSCLUSTER_STATE that it was started with",
  PROCESS_ENDED: "read its log with `npm run cluster -- logs NAME`",
  APISERVER_NOT_READY: "read `npm run cluster -- logs kube-apiserver`, then `npm run cluster -- down` and try again",
  NODE_NOT_READY: "read `npm run cluster -- logs kubelet-n1` and `logs containerd-n1`, then `down` and try again",
  IMAGE_BUILD_FAILED: "the lines above are the builder's own words",
  IMAGE_UNKNOWN: "name one of the images that the command lists",
  NOT_RUNNING: "start it with `npm run cluster -- up`",
  SERVICE_UNKNOWN: "check the name with `kubectl get services -A`",
  CONTAINER_UNKNOWN: "check that the pod runs, with `kubectl get pods -A`",
  LOG_UNKNOWN: "name one of the components that `npm run cluster -- logs` lists",
  LEFTOVERS: "run `npm run cluster -- down` again; what stays is held by a process that this command may not end",
  INTERRUPTED: "run `npm run cluster -- up` again; finished builds are kept",
} as const;

export type ClusterErrorCode = keyof typeof CLUSTER_ERRORS;

/** An expected failure with a stable `code`; `what` reads "cannot DO WHAT to WHICH: why". */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
  readonly code: ClusterErrorCode;

  constructor(code: ClusterErrorCode, what: string, options?: ErrorOptions) {
    super(`${what}. Next: ${CLUSTER_ERRORS[code]}`, options);
    this.code = code;
  }
}

export function isClusterError(error: unknown, code?: ClusterErrorCode): error is ClusterError {
  return error instanceof ClusterError && (code === undefined || error.code === code);
}
