// Installs the Debian packages that a cluster's programs come from; only those that are not there.
import { existsSync } from "node:fs";
import { chmod, rm, writeFile } from "node:fs/promises";
import { run, isOnPath } from "../command.ts";
import { ClusterError } from "../errors.ts";

const POLICY = "/usr/sbin/policy-rc.d";

/** Names of `packages` (name -> a file that the package brings) whose file is not there. */
export function missingPackages(
  packages: Readonly<Record<string, string>>,
  isThere: (path: string) => boolean = existsSync,
): string[] {
  // Merged /usr: a program of /usr/sbin is found at /sbin too, but not the other way round on old systems.
  return Object.entries(packages)
    .filter(([, file]) => !isThere(file) && !isThere(file.replace(/^\/usr\/s?bin\//, "/sbin/")))
    .map(([name]) => name);
}

/** Installs packages with apt. Their services are not started: the cluster runs its own processes. */
export async function installPackages(names: readonly string[], signal?: AbortSignal): Promise<void> {
  if (names.length === 0) return;
  if (!(await isOnPath("apt-get")))
    throw new ClusterError("APT_MISSING", `cannot install ${names.join(", ")}: there is no apt-get here`);
  const options = { env: { DEBIAN_FRONTEND: "noninteractive" }, signal, code: "APT_FAILED" } as const;
  const ownPolicy = !existsSync(POLICY);
  if (ownPolicy) {
    // Asked by every package's install script before it starts a service; 101 forbids it.
    await writeFile(POLICY, "#!/bin/sh\nexit 101\n");
    await chmod(POLICY, 0o755);
  }
  try {
    await run(["apt-get", "update", "-qq"], options);
    await run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...names], options);
  } finally {
    if (ownPolicy) await rm(POLICY, { force: true });
  }
}
