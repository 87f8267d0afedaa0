// Chooses the way in which this machine can have a cluster, and says why.
import { tryRun } from "./command.ts";
import type { ClusterDriver } from "./driver.ts";
import { createKindDriver } from "./kind/driver.ts";
import { createLocalDriver } from "./local/driver.ts";

type DriverChoice = { readonly name: "kind" | "local"; readonly reason: string };

/** The choice by facts; `wanted` (WSCLUSTER_DRIVER) overrides it. */
export function chooseDriver(dockerAnswers: boolean, wanted: string | undefined): DriverChoice {
  if (wanted === "kind" || wanted === "local") return { name: wanted, reason: "WSCLUSTER_DRIVER asks for it" };
  return dockerAnswers
    ? { name: "kind", reason: "a Docker engine answers" }
    : { name: "local", reason: "no Docker engine answers" };
}

/** The cluster of this machine, running or not. */
export async function openCluster(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ClusterDriver> {
  const choice = chooseDriver(await dockerAnswers(), env["WSCLUSTER_DRIVER"]);
  return choice.name === "kind" ? createKindDriver(choice.reason) : createLocalDriver(choice.reason);
}

async function dockerAnswers(): Promise<boolean> {
  const answer = await tryRun(["docker", "version", "--format", "{{.Server.Version}}"]).catch(() => undefined);
  return answer?.status === 0 && answer.stdout.trim() !== "";
}
