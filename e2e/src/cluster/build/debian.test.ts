import { describe, expect, it } from "vitest";
import { missingPackages } from "./debian.ts";

describe("missingPackages", () => {
  const packages = { runc: "/usr/sbin/runc", iproute2: "/usr/sbin/ip", buildah: "/usr/bin/buildah" };

  it("names only those whose program is not there", () => {
    expect(missingPackages(packages, (path) => path === "/usr/sbin/runc" || path === "/usr/bin/buildah")).toEqual([
      "iproute2",
    ]);
  });

  it("finds programs on systems whose /sbin is a folder of its own", () => {
    const there = ["/usr/sbin/runc", "/sbin/ip", "/usr/bin/buildah"];
    expect(missingPackages(packages, (path) => there.includes(path))).toEqual([]);
  });
});
