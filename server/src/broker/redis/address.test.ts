import { describe, expect, it } from "vitest";
import { storeAddressOf } from "./address.ts";

describe("storeAddressOf", () => {
  it.each([
    ["redis://h:1/0", { kind: "single", url: "redis://h:1/0", tls: false }],
    [
      "redis+sentinel://a:1,[::1]:2/main",
      {
        kind: "sentinel",
        name: "main",
        tls: false,
        hosts: [
          { host: "a", port: 1 },
          { host: "::1", port: 2 },
        ],
      },
    ],
    [
      "rediss+cluster://me:p%40ss@a:1,b:2",
      {
        kind: "cluster",
        tls: true,
        username: "me",
        password: "p@ss",
        hosts: [
          { host: "a", port: 1 },
          { host: "b", port: 2 },
        ],
      },
    ],
  ])("reads %s", (url, address) => {
    expect(storeAddressOf(url)).toEqual(address);
  });

  it.each([
    "http://a",
    "redis+cluster://a",
    "redis+sentinel://a:1",
    "redis+cluster://a:1/name",
    "redis+other://a:1",
    "x",
  ])("does not read %s", (url) => expect(storeAddressOf(url)).toBeUndefined());
});
