import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadAccess } from "./config.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kube-config-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ca = Buffer.from("CA PEM").toString("base64");

async function kubeconfig(server: string, user: object = { token: "abc" }): Promise<string> {
  const path = join(folder, "config");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "one",
    clusters: [
      { name: "c", cluster: { server, ...(server.startsWith("https") ? { "certificate-authority-data": ca } : {}) } },
    ],
    users: [
      { name: "u", user },
      { name: "v", user: { username: "me", password: "secret" } },
    ],
    contexts: [
      { name: "one", context: { cluster: "c", user: "u" } },
      { name: "two", context: { cluster: "c", user: "v" } },
    ],
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}

describe("loadAccess", () => {
  it("gives server, token and CA of the current context", async () => {
    const access = loadAccess({ kubeconfigPath: await kubeconfig("https://k8s.example:6443/") });
    expect(access.server).toBe("https://k8s.example:6443");
    const { headers, tls } = await access.credentials();
    expect(headers).toEqual({ authorization: "Bearer abc" });
    expect(String(tls.ca)).toBe("CA PEM");
  });

  it("takes another context, and names the known ones when it is not there", async () => {
    const kubeconfigPath = await kubeconfig("https://k8s.example");
    const { headers } = await loadAccess({ kubeconfigPath, context: "two" }).credentials();
    expect(headers["authorization"]).toBe(`Basic ${Buffer.from("me:secret").toString("base64")}`);
    expect(() => loadAccess({ kubeconfigPath, context: "three" })).toThrow(
      'cannot use context "three": not in the kubeconfig; known contexts: one, two',
    );
  });

  it("refuses to send credentials unencrypted, except to this machine", async () => {
    const remote = await kubeconfig("http://k8s.example:8001");
    expect(() => loadAccess({ kubeconfigPath: remote })).toThrow("credentials would travel unencrypted");
    const local = loadAccess({ kubeconfigPath: await kubeconfig("http://127.0.0.1:8001") });
    expect((await local.credentials()).headers).toEqual({ authorization: "Bearer abc" });
  });

  it("says what is wrong with a missing file", () => {
    expect(() => loadAccess({ kubeconfigPath: join(folder, "none") })).toThrow(/^cannot load a kubeconfig: ENOENT/);
  });
});
