// An image archive without the layers of its base, which the nodes have already: megabytes instead of hundreds, so that a changed
// image is on the nodes within two seconds. OCI image layout 1.0; containerd takes the missing layers from its own store.
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../command.ts";

type Blob = { readonly digest: string; readonly size: number };

/** The parts of a docker-archive that matter, from its manifest.json and its listing. */
type ArchiveContent = { readonly config: Blob; readonly layers: readonly Blob[] };

/** `listing` is the output of `tar --list --verbose --numeric-owner`. undefined where it is not an archive of one image. */
export function parseDockerArchive(manifestJson: string, listing: string): ArchiveContent | undefined {
  const sizes = new Map<string, number>();
  for (const line of listing.split("\n")) {
    const match = /^-\S+\s+\S+\s+(\d+)\s+\S+\s+\S+\s+(\S+)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) sizes.set(match[2], Number(match[1]));
  }
  const [image] = JSON.parse(manifestJson) as { readonly Config: string; readonly Layers: readonly string[] }[];
  const blob = (file: string | undefined): Blob | undefined => {
    const size = file === undefined ? undefined : sizes.get(file);
    const hex = file === undefined ? undefined : /^([0-9a-f]{64})\.(?:tar|json)$/.exec(file)?.[1];
    return size === undefined || hex === undefined ? undefined : { digest: `sha256:${hex}`, size };
  };
  const config = blob(image?.Config);
  const layers = image?.Layers.map((file) => blob(file)).filter((layer) => layer !== undefined);
  return config && layers && layers.length === image?.Layers.length ? { config, layers } : undefined;
}

export function ociManifest(content: ArchiveContent): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...content.config },
    layers: content.layers.map((layer) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer })),
  });
}

export function ociIndex(manifest: Blob, reference: string): string {
  return JSON.stringify({
    schemaVersion: 2,
    manifests: [
      {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        ...manifest,
        annotations: { "io.containerd.image.name": reference },
      },
    ],
  });
}

/** Reads what a docker-archive holds. */
export async function readDockerArchive(archive: string, signal?: AbortSignal): Promise<ArchiveContent | undefined> {
  const [manifest, listing] = await Promise.all([
    run(["tar", "-xOf", archive, "manifest.json"], { signal }),
    run(["tar", "--list", "--verbose", "--numeric-owner", "--file", archive], { signal }),
  ]);
  return parseDockerArchive(manifest, listing);
}

/** Writes `target` from `archive` without the layers in `known`. Falls back to no change of content: `target` may hold all layers. */
export async function writeThinArchive(
  archive: string,
  reference: string,
  known: ReadonlySet<string>,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const content = await readDockerArchive(archive, signal);
  if (!content) return rename(archive, target);
  const folder = await mkdtemp(join(dirname(target), "thin-"));
  try {
    const blobs = join(folder, "blobs", "sha256");
    await mkdir(blobs, { recursive: true });
    const extract = async (file: string, digest: string) => {
      await run(["tar", "--directory", blobs, "--extract", "--file", archive, file], { signal });
      await rename(join(blobs, file), join(blobs, hexOf(digest)));
    };
    await extract(`${hexOf(content.config.digest)}.json`, content.config.digest);
    for (const { digest } of content.layers) if (!known.has(digest)) await extract(`${hexOf(digest)}.tar`, digest);
    const manifest = ociManifest(content);
    const hex = createHash("sha256").update(manifest).digest("hex");
    await writeFile(join(blobs, hex), manifest);
    await writeFile(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(
      join(folder, "index.json"),
      ociIndex({ digest: `sha256:${hex}`, size: Buffer.byteLength(manifest) }, reference),
    );
    const partial = `${target}.${process.pid}.partial`;
    await run(["tar", "--directory", folder, "--create", "--file", partial, "oci-layout", "index.json", "blobs"], {
      signal,
    });
    await rename(partial, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function hexOf(digest: string): string {
  return digest.slice("sha256:".length);
}
