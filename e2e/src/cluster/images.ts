// The product's images: what each is made of, its tag by content, and bringing it to the nodes. How to build and load is the driver's.
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Progress } from "../terminal/progress.ts";
import { run } from "./command.ts";
import type { ClusterDriver, ImageBase } from "./driver.ts";
import { ClusterError } from "./errors.ts";
import { REPOSITORY_ROOT } from "./paths.ts";

type ImageSource = { readonly dockerfile: string; readonly base: ImageBase; readonly bundles: readonly string[] };

/** Each image: Dockerfile in images/, and the bundles that it copies. */
export const IMAGES = {
  server: { dockerfile: "server.Dockerfile", base: "node", bundles: ["server"] },
  operator: { dockerfile: "operator.Dockerfile", base: "node", bundles: ["operator"] },
  edge: { dockerfile: "edge.Dockerfile", base: "haproxy", bundles: [] },
  redis: { dockerfile: "redis.Dockerfile", base: "redis", bundles: [] },
} as const satisfies Record<string, ImageSource>;

type ImageName = keyof typeof IMAGES;
/** An image, or a release of it (`server:v2`): the same content under another name, for a rollout that has something to roll. */
export type ImageRequest = ImageName | `${ImageName}:${string}`;

type ParsedRequest = { readonly name: ImageName; readonly release: string };

export function parseImageRequest(request: string): ParsedRequest | undefined {
  const [name = "", release = "", ...rest] = request.split(":");
  if (!Object.hasOwn(IMAGES, name) || rest.length > 0 || !/^[\w.-]{0,40}$/.test(release)) return undefined;
  return { name: name as ImageName, release };
}

/** `wscluster.local/server:v2-0123456789ab`; the digest covers base, Dockerfile, files and release. */
export function imageReference(request: ParsedRequest, contents: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const content of [request.release, ...contents]) hash.update(content).update("\0");
  const digest = hash.digest("hex").slice(0, 12);
  return `wscluster.local/${request.name}:${request.release === "" ? "" : `${request.release}-`}${digest}`;
}

/**
 * Bundles the sources, builds the images whose content has changed, brings them to every node, and returns the reference of
 * each request. Use `imagePullPolicy: IfNotPresent`: there is no registry behind the name.
 */
export async function ensureImages<R extends ImageRequest>(
  driver: ClusterDriver,
  requests: readonly R[],
  progress: Progress,
  signal?: AbortSignal,
): Promise<Record<R, string>> {
  const parsed = requests.map((request) => ({ request, image: parseOrThrow(request) }));
  progress.begin(requests.length + 1);
  const folder = join(REPOSITORY_ROOT, "dist", "images");
  await progress.step("images: bundles", "building", async (report) => {
    const bundles = new Set(parsed.flatMap(({ image }) => [...IMAGES[image.name].bundles]));
    await mkdir(folder, { recursive: true });
    if (bundles.size > 0) await bundle([...bundles], signal);
    report.done("built");
  });
  const baseKey = await driver.imageBaseKey();
  const loaded = new Set(await driver.loadedImages());
  const references = {} as Record<R, string>;
  for (const { request, image } of parsed) {
    const source: ImageSource = IMAGES[image.name];
    const dockerfile = join(REPOSITORY_ROOT, "images", source.dockerfile);
    const files = await Promise.all(
      [dockerfile, ...source.bundles.map((name) => join(folder, `${name}.mjs`))].map((file) => readFile(file)),
    );
    const reference = imageReference(image, [baseKey, ...files]);
    references[request] = reference;
    await progress.step(`image ${image.name}${image.release && ` ${image.release}`}`, "building", async (report) => {
      if (loaded.has(reference)) return report.done("on the nodes already");
      const build = {
        reference,
        dockerfile,
        context: folder,
        base: source.base,
        arguments: { WSCLUSTER_RELEASE: image.release || "dev" },
      };
      const archive = await driver.buildImage(build, report, signal);
      report.doing("loading");
      await driver.loadImage(reference, archive);
      loaded.add(reference);
      report.done("built and loaded");
    });
  }
  return references;
}

function parseOrThrow(request: string): ParsedRequest {
  const image = parseImageRequest(request);
  if (image) return image;
  throw new ClusterError(
    "IMAGE_UNKNOWN",
    `cannot build ${request}: the images are ${Object.keys(IMAGES).join(", ")}, each with an optional :RELEASE`,
  );
}

async function bundle(names: readonly string[], signal?: AbortSignal): Promise<void> {
  const script = join(REPOSITORY_ROOT, "scripts", "build.ts");
  await run([process.execPath, "--conditions=@wscluster/source", script, ...names], {
    cwd: REPOSITORY_ROOT,
    signal,
    code: "IMAGE_BUILD_FAILED",
  });
}
