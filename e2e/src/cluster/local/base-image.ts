// The base of the product's images where there is no registry: Debian's HAProxy and Redis from the package mirror, and this Node.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { copyFile, link, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { StepReport } from "../../terminal/progress.ts";
import { run } from "../command.ts";
import { cacheDirectory, REPOSITORY_ROOT } from "../paths.ts";
import { buildArchive, hasBuiltImage } from "./buildah.ts";

const RECIPE_REVISION = 1;
const PACKAGES = ["ca-certificates", "haproxy", "libstdc++6", "redis-server"];
/** What nobody reads in a container: a third of a minimal system. */
const LEFT_OUT = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"];
/** Settings of the machine's apt without which its mirror cannot be used. */
const APT_SETTINGS = /^Acquire::(Check-Valid-Until|Check-Date|https?::Proxy|https?::No-Cache|ForceIPv4)\b.*;$/;

type BaseImage = { readonly reference: string; readonly archive: string };

export function baseImage(): BaseImage {
  const key = createHash("sha256")
    .update(JSON.stringify([RECIPE_REVISION, suite(), PACKAGES, process.version, dockerfileText()]))
    .digest("hex")
    .slice(0, 12);
  return {
    reference: `wscluster.local/base:${key}`,
    archive: join(cacheDirectory(), "images", `base-${key}.tar`),
  };
}

/** Builds the base unless the builder's storage has it; half a minute, once. */
export async function ensureBaseImage(report: StepReport, signal?: AbortSignal): Promise<BaseImage> {
  const base = baseImage();
  if (existsSync(base.archive) && (await hasBuiltImage(base.reference))) return base;
  await mkdir(join(cacheDirectory(), "images"), { recursive: true });
  await mkdir(join(cacheDirectory(), "build"), { recursive: true });
  const rootfs = join(cacheDirectory(), "images", `rootfs-${suite()}-${RECIPE_REVISION}.tar`);
  if (!existsSync(rootfs)) {
    report.doing("installing the base's Debian packages");
    await makeRootfs(rootfs, signal);
  }
  report.doing("building the base");
  const context = await mkdtemp(join(cacheDirectory(), "build", "base-"));
  try {
    await link(rootfs, join(context, "rootfs.tar"));
    await copyFile(process.execPath, join(context, "node"));
    const build = {
      reference: base.reference,
      dockerfile: dockerfile(),
      context,
      arguments: {},
      archive: base.archive,
    };
    await buildArchive(build, signal);
  } finally {
    await rm(context, { recursive: true, force: true });
  }
  report.doing("building");
  return base;
}

async function makeRootfs(target: string, signal?: AbortSignal): Promise<void> {
  const partial = `${target}.${process.pid}.partial.tar`;
  const settings = (await run(["apt-config", "dump"], { signal }))
    .split("\n")
    .filter((line) => APT_SETTINGS.test(line));
  try {
    await run(
      [
        ...["mmdebstrap", "--quiet", "--variant=minbase", `--include=${PACKAGES.join(",")}`],
        ...LEFT_OUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
        ...settings.map((setting) => `--aptopt=${setting}`),
        ...[suite(), partial, ...mirrors()],
      ],
      { signal, code: "IMAGE_BUILD_FAILED" },
    );
    await rename(partial, target);
  } finally {
    await rm(partial, { force: true });
  }
}

/** The machine's own package sources of its distribution, so that a local mirror is used; other vendors' are left out. */
function mirrors(): string[] {
  const candidates = [
    "/etc/apt/sources.list.d/debian.sources",
    "/etc/apt/sources.list.d/ubuntu.sources",
    "/etc/apt/sources.list",
  ];
  return candidates.filter((file) => existsSync(file) && readFileSync(file, "utf8").trim() !== "").slice(0, 1);
}

function suite(): string {
  const match = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync("/etc/os-release", "utf8"));
  return match?.[1] ?? "bookworm";
}

function dockerfile(): string {
  return join(REPOSITORY_ROOT, "images", "base.Dockerfile");
}

function dockerfileText(): string {
  return readFileSync(dockerfile(), "utf8");
}
