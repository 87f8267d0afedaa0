import { expect, it } from "vitest";
import { vagueNames } from "./file-names.ts";

it("finds folders and files whose name says nothing", () => {
  const bad = [
    "server/src/util/text.ts",
    "operator/src/pod-manager.ts",
    "crds/src/common.test.ts",
    "client/src/Helpers.ts",
  ];
  expect(
    vagueNames([...bad, "e2e/src/cluster/local/base-image.ts", "protocol/src/index.ts", "images/base.Dockerfile"]),
  ).toEqual(bad);
});
