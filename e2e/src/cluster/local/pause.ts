// The image of a pod's sandbox: a tiny static program that waits. Built from the Go source below, so that no registry is needed.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../command.ts";
import { cacheDirectory } from "../paths.ts";
import { buildArchive } from "./buildah.ts";
import { PAUSE_IMAGE } from "./layout.ts";

const SOURCE = `// First process of a pod's sandbox: holds its namespaces, reaps orphans, ends on SIGTERM.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			os.Exit(0)
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
`;

/** Path of the cached image archive; builds it when it is not there (two seconds). */
export async function pauseArchive(signal?: AbortSignal): Promise<string> {
  const key = createHash("sha256").update(SOURCE).digest("hex").slice(0, 12);
  const archive = join(cacheDirectory(), "images", `pause-${key}.tar`);
  if (existsSync(archive)) return archive;
  await mkdir(join(cacheDirectory(), "images"), { recursive: true });
  await mkdir(join(cacheDirectory(), "build"), { recursive: true });
  const folder = await mkdtemp(join(cacheDirectory(), "build", "pause-"));
  try {
    await writeFile(join(folder, "pause.go"), SOURCE);
    await run(["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "pause", "pause.go"], {
      cwd: folder,
      env: { CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false", GOWORK: "off" },
      signal,
      code: "GO_BUILD_FAILED",
    });
    await writeFile(join(folder, "Dockerfile"), 'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n');
    const dockerfile = join(folder, "Dockerfile");
    await buildArchive({ reference: PAUSE_IMAGE, dockerfile, context: folder, arguments: {}, archive }, signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return archive;
}
