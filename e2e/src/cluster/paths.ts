// Where a cluster keeps what it makes: nothing of it is in the repository. Pure: environment in, paths out.
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What may be thrown away at the price of building again: binaries, base file system, image archives. */
export function cacheDirectory(env: Environment = process.env): string {
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "wscluster");
}

/**
 * What belongs to one running cluster: keys, logs, process ids, container storage. `WSCLUSTER_STATE` moves it.
 * Not under the home folder by default: the local driver runs as root, and container storage needs a real disk.
 */
export function stateDirectory(driver: "kind" | "local", env: Environment = process.env): string {
  const override = env["WSCLUSTER_STATE"];
  if (override) return resolve(override);
  return join(env["XDG_STATE_HOME"] || "/var/lib", "wscluster", driver);
}

/** The cached program of one version; several versions lie side by side. */
export function binaryPath(name: string, version: string, env: Environment = process.env): string {
  return join(cacheDirectory(env), "bin", `${name}-${version}`);
}

/** The root of this repository, where Dockerfiles and sources are. */
export const REPOSITORY_ROOT = resolve(import.meta.dirname, "..", "..", "..");

/** The cached archive of an image; its reference holds a content hash, so an archive never goes stale. */
export function archivePath(reference: string, env: Environment = process.env): string {
  return join(cacheDirectory(env), "images", `${reference.replace(/[^\w.-]+/g, "_")}.tar`);
}
