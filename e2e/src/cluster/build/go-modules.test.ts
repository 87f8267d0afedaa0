import { describe, expect, it } from "vitest";
import { PARTS } from "../versions.ts";
import { goBuildArguments, goModFor, isGoUsable, stagingModules, stagingVersion } from "./go-modules.ts";

const GO_MOD = `module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

require (
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
)

replace (
	k8s.io/client-go => ./staging/src/k8s.io/client-go
	k8s.io/api => ./staging/src/k8s.io/api
	example.com/fork => example.com/other v1.2.3
)
`;

describe("stagingModules", () => {
  it("finds the modules replaced by folders of the repository, and no others", () => {
    expect(stagingModules(GO_MOD)).toEqual(["k8s.io/api", "k8s.io/client-go"]);
  });

  it("understands one-line and versioned replaces", () => {
    expect(stagingModules("replace k8s.io/api v0.0.0 => ./staging/src/k8s.io/api\n")).toEqual(["k8s.io/api"]);
  });
});

describe("goModFor", () => {
  it("keeps replaces and debug settings, and points staging modules at their published versions", () => {
    const source = {
      build: "x",
      requires: { "k8s.io/kubernetes": "v1.37.2" },
      staging: "k8s.io/kubernetes",
      variables: {},
    };
    expect(goModFor(source, GO_MOD)).toBe(`module wscluster.local/build

go 1.26.0

godebug default=go1.26

require k8s.io/kubernetes v1.37.2

replace (
	example.com/fork => example.com/other v1.2.3
	k8s.io/api => k8s.io/api v0.37.2
	k8s.io/client-go => k8s.io/client-go v0.37.2
)
`);
  });

  it("has no replaces for a module without staging", () => {
    expect(goModFor(PARTS.coredns.source)).toBe(
      `module wscluster.local/build\n\ngo 1.26.0\n\nrequire github.com/coredns/coredns v${PARTS.coredns.version}\n`,
    );
  });

  it("publishes staging modules as v0 of the same minor and patch", () => {
    expect(stagingVersion("v1.37.2")).toBe("v0.37.2");
  });
});

describe("goBuildArguments", () => {
  it("sets the version that the API server reports", () => {
    const argv = goBuildArguments(PARTS["kube-apiserver"], "/out");
    expect(argv.slice(0, 4)).toEqual(["build", "-mod=mod", "-trimpath", "-ldflags"]);
    expect(argv[4]).toContain(`-X k8s.io/component-base/version.gitVersion=v${PARTS["kube-apiserver"].version}`);
    expect(argv.slice(5)).toEqual(["-o", "/out", "k8s.io/kubernetes/cmd/kube-apiserver"]);
  });
});

describe("isGoUsable", () => {
  it.each([
    ["go version go1.26.8 linux/amd64", "local", true],
    ["go version go1.25.1 linux/amd64", "local", false],
    ["go version go1.25.1 linux/amd64", "auto", true],
    ["go version go1.19.8 linux/amd64", "auto", false],
    ["go version go2.0 linux/amd64", "local", true],
    ["", "auto", false],
  ])("%s with toolchain %s: %s", (version, toolchain, usable) => {
    expect(isGoUsable(version, toolchain)).toBe(usable);
  });
});
