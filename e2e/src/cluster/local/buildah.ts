// Builds images without a Docker engine. The builder's storage is our own, in the cache folder: it mixes with nothing on the machine.
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run, tryRun } from "../command.ts";
import { cacheDirectory } from "../paths.ts";

type ArchiveBuild = {
  readonly reference: string;
  readonly dockerfile: string;
  readonly context: string;
  readonly arguments: Readonly<Record<string, string>>;
  /** Where the docker-archive goes. */
  readonly archive: string;
};

function buildah(command: string, args: readonly string[]): string[] {
  const storage = [
    "--root",
    join(cacheDirectory(), "containers"),
    "--runroot",
    join(cacheDirectory(), "containers-run"),
  ];
  return ["buildah", ...storage, "--storage-driver", "overlay", command, ...args];
}

/** Builds an image and writes it as an archive; the image stays in the builder's storage as a base for others. */
export async function buildArchive(build: ArchiveBuild, signal?: AbortSignal): Promise<void> {
  const buildArguments = Object.entries(build.arguments).flatMap(([name, value]) => [
    "--build-arg",
    `${name}=${value}`,
  ]);
  const options = { signal, code: "IMAGE_BUILD_FAILED" } as const;
  await run(
    buildah("bud", [
      ...[
        "--isolation",
        "chroot",
        "--pull-never",
        "--layers=false",
        "--file",
        build.dockerfile,
        "--tag",
        build.reference,
      ],
      ...[...buildArguments, build.context],
    ]),
    options,
  );
  await mkdir(dirname(build.archive), { recursive: true });
  // Pushed beside and renamed: an interrupted write must not look like a finished archive.
  const partial = `${build.archive}.${process.pid}.partial`;
  try {
    await run(buildah("push", [build.reference, `docker-archive:${partial}:${build.reference}`]), options);
    await rename(partial, build.archive);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Whether the builder's storage has an image. */
export async function hasBuiltImage(reference: string): Promise<boolean> {
  return (await tryRun(buildah("inspect", ["--type", "image", reference]))).status === 0;
}
