// Which cluster to talk to and with which credentials. client-node knows kubeconfig files, exec plugins, OIDC and
// in-cluster files; its HTTP client is not used (it opens one TCP and TLS connection for each request).
import { KubeConfig } from "@kubernetes/client-node";
import type { RequestOptions as HttpsOptions } from "node:https";
import { KubeError } from "./errors.ts";

export type TlsMaterial = {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  passphrase?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
};

export type Credentials = { headers: Record<string, string>; tls: TlsMaterial };

/** A cluster's address and a source of fresh credentials (tokens rotate: never keep an answer for long). */
export interface ClusterAccess {
  /** Base URL without a trailing slash. */
  readonly server: string;
  readonly proxyUrl?: string | undefined;
  /** Namespace of the kubeconfig's context. */
  readonly namespace?: string | undefined;
  credentials(): Promise<Credentials>;
}

export type AccessOptions = {
  /** Path of a kubeconfig file; several joined by the path delimiter are merged by client-node when in KUBECONFIG. */
  kubeconfigPath?: string | undefined;
  /** Context to use instead of the file's current one. */
  context?: string | undefined;
  /** Use the pod's service account whatever files are there. */
  inCluster?: boolean | undefined;
};

/**
 * Finds the cluster: in-cluster when asked, else the given file, else KUBECONFIG, ~/.kube/config, service account.
 *
 * @throws KubeError BadConfig when nothing usable is found
 */
export function loadAccess(options: AccessOptions = {}): ClusterAccess {
  const config = new KubeConfig();
  try {
    if (options.inCluster === true) config.loadFromCluster();
    else if (options.kubeconfigPath !== undefined) config.loadFromFile(options.kubeconfigPath);
    else config.loadFromDefault();
  } catch (cause) {
    throw new KubeError(
      "BadConfig",
      `cannot load a kubeconfig: ${reasonOf(cause)}; set KUBECONFIG to a readable file`,
      {
        cause,
      },
    );
  }
  if (options.context !== undefined) {
    if (config.getContextObject(options.context) === null) {
      const known = config.getContexts().map((context) => context.name);
      throw new KubeError(
        "BadConfig",
        `cannot use context "${options.context}": not in the kubeconfig; known contexts: ${known.join(", ") || "none"}`,
      );
    }
    config.setCurrentContext(options.context);
  }
  return accessFor(config);
}

/** Access through a loaded client-node configuration. */
export function accessFor(config: KubeConfig): ClusterAccess {
  const cluster = config.getCurrentCluster();
  if (cluster === null || !/^https?:\/\//.test(cluster.server)) {
    throw new KubeError("BadConfig", "cannot find a cluster in the kubeconfig: its current context names none");
  }
  const server = cluster.server.replace(/\/+$/, "");
  if (isFallback(cluster)) {
    // client-node answers with localhost:8080 when it finds nothing; that hides the real mistake.
    throw new KubeError("BadConfig", "cannot find a cluster: no KUBECONFIG, no ~/.kube/config, no service account");
  }
  if (server.startsWith("http:") && cluster.skipTLSVerify !== true && !isLoopback(server)) {
    throw new KubeError("BadConfig", `cannot use ${server}: credentials would travel unencrypted; use https`);
  }
  return {
    server,
    proxyUrl: cluster.proxyUrl,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    credentials: () => readCredentials(config, server),
  };
}

async function readCredentials(config: KubeConfig, server: string): Promise<Credentials> {
  const options: HttpsOptions = {};
  const cluster = config.getCurrentCluster();
  if (server.startsWith("http:") && cluster !== null && cluster.skipTLSVerify !== true) {
    // client-node refuses plain http without this flag; accessFor has let only loopback through.
    config.clusters = config.clusters.map((entry) =>
      entry.name === cluster.name ? { ...entry, skipTLSVerify: true } : entry,
    );
  }
  try {
    await config.applyToHTTPSOptions(options);
  } catch (cause) {
    throw new KubeError("BadConfig", `cannot read the credentials for ${server}: ${reasonOf(cause)}`, { cause });
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value !== undefined) headers[name.toLowerCase()] = String(value).trim();
  }
  if (typeof options.auth === "string" && headers["authorization"] === undefined) {
    headers["authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  return { headers, tls: tlsOf(options) };
}

function tlsOf(options: HttpsOptions): TlsMaterial {
  const tls: TlsMaterial = {};
  if (isPem(options.ca)) tls.ca = options.ca;
  if (isPem(options.cert)) tls.cert = options.cert;
  if (isPem(options.key)) tls.key = options.key;
  if (options.passphrase !== undefined) tls.passphrase = options.passphrase;
  if (options.servername !== undefined) tls.servername = options.servername;
  if (options.rejectUnauthorized !== undefined) tls.rejectUnauthorized = options.rejectUnauthorized;
  return tls;
}

function isPem(value: unknown): value is string | Buffer {
  return typeof value === "string" || Buffer.isBuffer(value);
}

function isFallback(cluster: { name: string; server: string }): boolean {
  return cluster.name === "cluster" && cluster.server === "http://localhost:8080";
}

function isLoopback(server: string): boolean {
  const host = new URL(server).hostname;
  return host === "localhost" || host === "[::1]" || host.startsWith("127.");
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
