import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogger, loadConfig } from "@wscluster/platform";
import { DEFAULT_SETTINGS, SERVER_VARIABLES, liveSettingsOf } from "./config.ts";
import { createLiveFile } from "./live-file.ts";

describe("the variables", () => {
  it("have a default each: a server starts without any", () => {
    const result = loadConfig(SERVER_VARIABLES, {});
    expect(result).toMatchObject({ ok: true, value: { WSC_PORT: 8_080, WSC_PATH: "/ws", WSC_TICKET_KEYS: [] } });
  });

  it("are read as the operator renders them", () => {
    const result = loadConfig(SERVER_VARIABLES, {
      WSC_POD_UID: "0f9e8d7c-6b5a-4432-8110-000000000000",
      WSC_REDIS_URL: "redis://:pw@wscluster-redis.ns:6379/1",
      WSC_ADMIN_KEYS: "0123456789abcdef0,fedcba9876543210f",
      WSC_MODE: "preview",
      WSC_ANONYMOUS: "false",
    });
    expect(result).toMatchObject({
      ok: true,
      value: { WSC_ADMIN_KEYS: ["0123456789abcdef0", "fedcba9876543210f"], WSC_MODE: "preview", WSC_ANONYMOUS: false },
    });
  });

  it("that are wrong are all named, and no secret is shown", () => {
    const result = loadConfig(SERVER_VARIABLES, {
      WSC_JWT_SECRET: "tiny-secret",
      WSC_REDIS_URL: "http://x",
      WSC_PATH: "ws",
      WSC_TERMINATION_SECONDS: "0",
    });
    const problems = result.ok ? [] : result.problems;
    expect(new Set(problems.map((problem) => problem.split(":")[0]))).toEqual(
      new Set(["WSC_JWT_SECRET", "WSC_PATH", "WSC_REDIS_URL", "WSC_TERMINATION_SECONDS"]),
    );
    expect(problems.join()).not.toContain("tiny-secret");
  });
});

describe("liveSettingsOf", () => {
  it("fills in what is missing", () => {
    expect(liveSettingsOf({})).toEqual({ ok: true, settings: DEFAULT_SETTINGS });
    expect(liveSettingsOf({ generation: 3, connections: { maxPerPod: 5 } })).toMatchObject({
      ok: true,
      settings: { generation: 3, maxPerPod: 5, heartbeatMs: 20_000 },
    });
  });

  it("refuses a history that is shorter than sessions live", () => {
    expect(liveSettingsOf({ connections: { sessionTtlSeconds: 600 }, history: { ttlSeconds: 60 } }).ok).toBe(false);
    expect(liveSettingsOf({ history: { maxLength: 0 } }).ok).toBe(false);
    expect(liveSettingsOf(undefined).ok).toBe(false);
  });
});

describe("the file", () => {
  let directory = "";
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "wsc-config-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("takes effect when it changes; a bad one leaves the last in force and says so", async () => {
    const path = join(directory, "config.json");
    const warnings: string[] = [];
    const log = createLogger("warn", {}, { write: (line: string) => void warnings.push(line) });
    const file = createLiveFile(path, log);
    await file.read();
    expect(file.settings()).toEqual(DEFAULT_SETTINGS);
    await writeFile(path, JSON.stringify({ generation: 1, connections: { maxPerPod: 7 } }));
    await file.read();
    expect(file.settings()).toMatchObject({ generation: 1, maxPerPod: 7 });
    for (const bad of ["{", '{"connections":{"maxPerPod":"many"}}']) {
      await writeFile(path, bad);
      await file.read();
      expect(file.settings()).toMatchObject({ generation: 1, maxPerPod: 7 });
    }
    await rm(path);
    await file.read();
    expect(file.settings().generation).toBe(1);
    expect(warnings).toHaveLength(3);
  });
});
