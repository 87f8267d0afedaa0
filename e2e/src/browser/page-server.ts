// Serves pages to a browser from memory. Not here: what is on them.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundles a page's script from the sources, as an application would. */
export async function bundleFor(entry: URL): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    conditions: ["@wscluster/source"],
    define: { "process.env.NODE_ENV": '"development"' },
    write: false,
    logLevel: "silent",
  });
  return result.outputFiles[0]?.text ?? "";
}

export type PageServer = { readonly url: string; stop(): Promise<void> };

/** @param files by path, as `/index.html`; the ending gives the type. */
export async function servePages(files: Readonly<Record<string, string>>): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const text = files[path === "/" ? "/index.html" : path];
    const type = path.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8";
    if (text === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "content-type": type }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
