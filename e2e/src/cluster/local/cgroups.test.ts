import { describe, expect, it } from "vitest";
import { cgroupLayout } from "./cgroups.ts";

describe("cgroupLayout", () => {
  it("makes one cgroup per v1 controller that the host has, and copies the cpuset down", () => {
    const layout = cgroupLayout("n1", ["cpu", "cpuset", "memory", "unified", "net_cls"]);
    expect(layout).toEqual({
      version: 1,
      folders: [
        "/sys/fs/cgroup/cpu/wscluster-n1",
        "/sys/fs/cgroup/cpuset/wscluster-n1",
        "/sys/fs/cgroup/memory/wscluster-n1",
      ],
      copies: [
        { from: "/sys/fs/cgroup/cpuset/cpuset.cpus", to: "/sys/fs/cgroup/cpuset/wscluster-n1/cpuset.cpus" },
        { from: "/sys/fs/cgroup/cpuset/cpuset.mems", to: "/sys/fs/cgroup/cpuset/wscluster-n1/cpuset.mems" },
      ],
    });
  });

  it("copies nothing where there is no cpuset controller", () => {
    expect(cgroupLayout("n1", ["cpu"])).toMatchObject({ version: 1, copies: [] });
  });

  it("makes one cgroup on v2 and asks for the controllers that the host has", () => {
    expect(cgroupLayout("n2", ["cgroup.controllers", "system.slice"], "cpuset cpu io memory pids rdma\n")).toEqual({
      version: 2,
      folders: ["/sys/fs/cgroup/wscluster-n2"],
      controllers: ["cpuset", "cpu", "io", "memory", "pids"],
    });
  });
});
