import { describe, expect, it } from "vitest";
import { CLUSTER_ERRORS, ClusterError, isClusterError } from "./errors.ts";
import { imageReference, parseImageRequest } from "./images.ts";
import { chooseDriver } from "./open.ts";
import { archivePath, binaryPath, cacheDirectory, stateDirectory } from "./paths.ts";
import { describeStatus, statusExitCode } from "./report.ts";
import { LOCAL_PARTS, PARTS } from "./versions.ts";

describe("chooseDriver", () => {
  it("takes kind where a Docker engine answers, else the local one, and says why", () => {
    expect(chooseDriver(true, undefined)).toEqual({ name: "kind", reason: "a Docker engine answers" });
    expect(chooseDriver(false, undefined)).toEqual({ name: "local", reason: "no Docker engine answers" });
    expect(chooseDriver(true, "local").name).toBe("local");
    expect(chooseDriver(false, "nonsense").name).toBe("local");
  });
});

describe("paths", () => {
  it("keeps programs of several versions apart, outside the repository", () => {
    expect(binaryPath("etcd", "3.7.0", { XDG_CACHE_HOME: "/c" })).toBe("/c/wscluster/bin/etcd-3.7.0");
    expect(cacheDirectory({ HOME: "/h" })).toMatch(/\/\.cache\/wscluster$/);
  });

  it("has one place for the state, which the environment can move", () => {
    expect(stateDirectory("local", {})).toBe("/var/lib/wscluster/local");
    expect(stateDirectory("kind", { XDG_STATE_HOME: "/s" })).toBe("/s/wscluster/kind");
    expect(stateDirectory("local", { WSCLUSTER_STATE: "/x" })).toBe("/x");
  });

  it("makes one file name of an image reference", () => {
    expect(archivePath("a.b/c:d-1", { XDG_CACHE_HOME: "/c" })).toBe("/c/wscluster/images/a.b_c_d-1.tar");
  });
});

describe("versions", () => {
  it("keys each part by its own name and pins its module to its version", () => {
    for (const [name, part] of Object.entries(PARTS)) {
      expect(part.name).toBe(name);
      expect(Object.values<string>(part.source.requires)).toContain(`v${part.version}`);
    }
  });

  it("builds all Kubernetes parts from one version", () => {
    expect(new Set(LOCAL_PARTS.filter((name) => name.startsWith("kube")).map((name) => PARTS[name].version)).size).toBe(
      1,
    );
  });
});

describe("image requests", () => {
  it.each([
    ["server", { name: "server", release: "" }],
    ["server:v2", { name: "server", release: "v2" }],
    ["servers", undefined],
    ["server:v2:x", undefined],
    ["server:../x", undefined],
    ["toString", undefined],
  ])("parses %s", (text, parsed) => {
    expect(parseImageRequest(text)).toEqual(parsed);
  });

  it("names equal content equally and releases differently", () => {
    const v1 = imageReference({ name: "server", release: "v1" }, ["base", "code"]);
    expect(v1).toMatch(/^wscluster\.local\/server:v1-[0-9a-f]{12}$/);
    expect(imageReference({ name: "server", release: "v1" }, ["base", "code"])).toBe(v1);
    expect(imageReference({ name: "server", release: "v2" }, ["base", "code"])).not.toBe(v1.replace("v1-", "v2-"));
    expect(imageReference({ name: "server", release: "v1" }, ["base", "code 2"])).not.toBe(v1);
    expect(imageReference({ name: "server", release: "" }, ["basec", "ode"])).not.toBe(
      imageReference({ name: "server", release: "" }, ["base", "code"]),
    );
  });
});

describe("errors", () => {
  it("say what to do next", () => {
    const error = new ClusterError("NOT_ROOT", "cannot make namespaces: not root");
    expect(error.message).toBe(`cannot make namespaces: not root. Next: ${CLUSTER_ERRORS.NOT_ROOT}`);
    expect(isClusterError(error, "NOT_ROOT")).toBe(true);
    expect(isClusterError(error, "BUSY")).toBe(false);
  });
});

describe("status", () => {
  const driver = {
    name: "local",
    reason: "r",
    stateDirectory: "/s",
    kubeconfig: "/k",
    kubectlPath: "/kubectl",
    auditLog: "/a",
  } as const;

  it("shows components and nodes", () => {
    const status = {
      state: "degraded",
      components: [
        { name: "etcd", pid: 7, state: "running" },
        { name: "kubelet-n1", state: "ended" },
      ],
      nodes: [{ name: "n1", ready: false, address: "172.31.0.11", version: "v1.37.2", pods: 3 }],
    } as const;
    const text = describeStatus(driver, status);
    expect(text).toContain("etcd        running  7\nkubelet-n1  ended");
    expect(text).toContain("n1    no     v1.37.2  172.31.0.11  3");
    expect(statusExitCode(status)).toBe(4);
  });

  it("says how to start a cluster that is down", () => {
    const status = { state: "down", components: [], nodes: [] } as const;
    expect(describeStatus(driver, status)).toContain("npm run cluster -- up");
    expect(statusExitCode(status)).toBe(3);
  });
});
