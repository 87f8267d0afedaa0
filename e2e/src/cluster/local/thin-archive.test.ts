import { describe, expect, it } from "vitest";
import { ociIndex, ociManifest, parseDockerArchive } from "./thin-archive.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const C = "c".repeat(64);
const LISTING = `-r--r--r-- 0/0       270933504 1970-01-01 00:00 ${A}.tar
-r--r--r-- 0/0            1024 1970-01-01 00:00 ${B}.tar
-r--r--r-- 0/0            2052 1970-01-01 00:00 ${C}.json
l--------- 0/0               0 1970-01-01 00:00 x/layer.tar -> ../${A}.tar
-r--r--r-- 0/0             311 1970-01-01 00:00 manifest.json
`;
const manifest = (layers: string[]) => JSON.stringify([{ Config: `${C}.json`, RepoTags: ["x:y"], Layers: layers }]);

describe("parseDockerArchive", () => {
  it("finds digests and sizes", () => {
    expect(parseDockerArchive(manifest([`${A}.tar`, `${B}.tar`]), LISTING)).toEqual({
      config: { digest: `sha256:${C}`, size: 2052 },
      layers: [
        { digest: `sha256:${A}`, size: 270_933_504 },
        { digest: `sha256:${B}`, size: 1024 },
      ],
    });
  });

  it("gives up on layers that it cannot identify rather than leave one out", () => {
    expect(parseDockerArchive(manifest([`${A}.tar`, "x/layer.tar"]), LISTING)).toBeUndefined();
    expect(parseDockerArchive("[]", LISTING)).toBeUndefined();
  });
});

describe("OCI layout", () => {
  it("lists all layers, also those that are not in the archive, and the name for containerd", () => {
    const content = {
      config: { digest: "sha256:c", size: 3 },
      layers: [
        { digest: "sha256:a", size: 1 },
        { digest: "sha256:b", size: 2 },
      ],
    };
    expect(JSON.parse(ociManifest(content))).toMatchObject({
      config: { digest: "sha256:c" },
      layers: [{ digest: "sha256:a" }, { digest: "sha256:b" }],
    });
    expect(JSON.parse(ociIndex({ digest: "sha256:m", size: 9 }, "wscluster.local/x:y"))).toMatchObject({
      manifests: [{ digest: "sha256:m", size: 9, annotations: { "io.containerd.image.name": "wscluster.local/x:y" } }],
    });
  });
});
