// HAProxy itself judges the text; what it does with it is in agent.test.ts.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderHaproxyConfig, unnamedLimitFor } from "./haproxy-config.ts";
import { HAPROXY } from "./testing/haproxy.ts";

const options = { socketPath: "/var/run/wscluster/haproxy.sock", maxConnections: 9_000 };

describe("renderHaproxyConfig", () => {
  it.skipIf(HAPROXY === undefined)("is accepted without a warning", async () => {
    const folder = await mkdtemp(join(tmpdir(), "wsc-config-"));
    try {
      const path = join(folder, "haproxy.cfg");
      await writeFile(path, renderHaproxyConfig({ ...options, socketPath: join(folder, "r.sock"), threads: 2 }));
      const printed = await new Promise<string>((resolve, reject) => {
        // -dW: a warning is an error.
        execFile(HAPROXY ?? "", ["-c", "-dW", "-f", path], (error, stdout, stderr) =>
          error === null ? resolve(stdout + stderr) : reject(new Error(stdout + stderr)),
        );
      });
      expect(printed).not.toMatch(/WARNING|ALERT/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("fits 9,000 connections into a hard limit of 20,000 files", () => {
    const files = Number(/fd-hard-limit (\d+)/.exec(renderHaproxyConfig(options))?.[1]);
    expect(files).toBeLessThanOrEqual(20_000);
    expect(files).toBeGreaterThan(2 * 9_000 + 500);
  });

  it("never cuts by itself: no hard stop, no action on a failing check, no retry of what was sent", () => {
    const text = renderHaproxyConfig(options);
    expect(text).not.toMatch(/hard-stop-after|on-marked-down|empty-response|all-retryable/);
    expect(text).toContain("retry-on conn-failure\n");
  });

  it("is the same text for the same options, and names no server", () => {
    expect(renderHaproxyConfig(options)).toBe(renderHaproxyConfig({ ...options }));
    expect(renderHaproxyConfig(options)).not.toMatch(/^\s*server /m);
  });

  it.each([
    [10, 9],
    [100, 90],
    [9_000, 8_100],
  ])("of %i places leaves %i to unnamed arrivals", (all, unnamed) => {
    expect(unnamedLimitFor(all)).toBe(unnamed);
    expect(renderHaproxyConfig({ ...options, maxConnections: all })).toContain(`acl is_full fe_conn gt ${unnamed}\n`);
  });
});
