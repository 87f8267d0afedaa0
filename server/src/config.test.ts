import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLogger, loadConfig } from "@wscluster/platform";
import { DEFAULT_SETTINGS, LIVE_FILE, SERVER_VARIABLES, limitsOf, liveSettingsOf } from "./config.ts";
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
  it("gives a namespace a history of its own, long enough for a session to resume", () => {
    const files = (namespace: object) => liveSettingsOf({ namespaces: [{ names: ["log.*"], ...namespace }] });
    expect(files({ historyLength: 5 })).toMatchObject({
      settings: { namespaces: [{ history: { maxLength: 5, ttlMs: 300_000 } }] },
    });
    expect(files({ historySeconds: 3_600 })).toMatchObject({
      settings: { namespaces: [{ history: { maxLength: 1_000, ttlMs: 3_600_000 } }] },
    });
    expect(files({})).not.toHaveProperty("settings.namespaces.0.history");
    expect(files({ historySeconds: 119 })).toMatchObject({
      ok: false,
      problems: [expect.stringContaining("namespaces.0.historySeconds: must be at least")],
    });
  });

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

describe("limits", () => {
  it("come from the variables, and the file changes those that it names", async () => {
    const result = loadConfig(SERVER_VARIABLES, {
      WSC_LIMIT_SESSIONS_PER_USER: "5",
      WSC_LIMIT_MESSAGES_PER_SECOND: "100",
      WSC_LIMIT_SUBSCRIPTIONS_PER_SESSION: "10",
    });
    const limits = result.ok ? limitsOf(result.value) : undefined;
    expect(limits).toMatchObject({ sessionsPerUser: 5, messagesPerSecond: 100, subscriptionsPerSession: 10 });
    expect(liveSettingsOf({ limits: { sessionsPerUser: 0, tenantBytesPerSecond: 7 } }, limits)).toMatchObject({
      ok: true,
      settings: {
        limits: { ...limits, sessionsPerUser: 0, messagesPerSecond: 100, tenantBytesPerSecond: 7 },
      },
    });
    expect(createLiveFile(undefined, createLogger("silent", {}), limits).settings().limits).toEqual(limits);
  });

  it("that are wrong are all named at once", () => {
    const result = liveSettingsOf({ limits: { sessionsPerUser: -1, subscriptionsPerSession: 0 }, generation: "x" });
    const problems = result.ok ? [] : result.problems;
    expect(problems.map((problem) => problem.split(":")[0])).toEqual([
      "generation",
      "limits.sessionsPerUser",
      "limits.subscriptionsPerSession",
    ]);
  });
});

describe("--help", () => {
  it("lists every variable and every setting of the file", () => {
    const main = fileURLToPath(new URL("main.ts", import.meta.url));
    const { stdout } = spawnSync(process.execPath, ["--conditions=@wscluster/source", main, "--help"], {
      encoding: "utf8",
    });
    const settings = Object.entries(LIVE_FILE.shape).flatMap(([section, type]) => {
      const inner = "unwrap" in type ? type.unwrap() : type;
      return "shape" in inner ? Object.keys(inner.shape).map((name) => `${section}.${name}`) : [section];
    });
    expect(settings).toContain("limits.messagesPerSecond");
    const shown = new Set([...stdout.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name));
    expect(shown).toEqual(new Set([...Object.keys(SERVER_VARIABLES.shape), ...settings]));
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
      expect(file.isCurrent()).toBe(false);
    }
    expect(warnings[1]).toContain("connections.maxPerPod");
    await rm(path);
    // Read every two seconds, said once.
    for (let n = 0; n < 3; n += 1) await file.read();
    expect(file.settings().generation).toBe(1);
    expect(warnings).toHaveLength(3);
    await writeFile(path, JSON.stringify({ generation: 2 }));
    await file.read();
    expect([file.settings().generation, file.isCurrent()]).toEqual([2, true]);
  });
});
