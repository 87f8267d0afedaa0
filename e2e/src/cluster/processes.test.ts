import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { poll } from "./command.ts";
import { withLock } from "./lock.ts";
import {
  isAlive,
  parsePidFile,
  parseStartTicks,
  readRecords,
  signalRecord,
  startDetached,
  startTicksOf,
} from "./processes.ts";

describe("pid files", () => {
  it.each([
    ["123 456\n", { name: "x", pid: 123, startTicks: 456 }],
    ["123 456", { name: "x", pid: 123, startTicks: 456 }],
    ["123\n", undefined],
    ["", undefined],
    // Pid 1 and below would be the machine itself or every process.
    ["1 456\n", undefined],
    ["0 0\n", undefined],
    ["-1 456\n", undefined],
  ])("parses %j", (text, record) => {
    expect(parsePidFile("x", text)).toEqual(record);
  });

  it("reads the start time behind a name with blanks and brackets", () => {
    const fields = Array.from({ length: 50 }, (_, index) => `${index}`);
    const stat = `42 (a) b) S ${fields.slice(4).join(" ")}`;
    expect(parseStartTicks(stat)).toBe(22);
  });

  it("takes a zombie for ended", () => {
    const fields = Array.from({ length: 50 }, (_, index) => `${index}`);
    expect(parseStartTicks(`42 (kubelet) Z ${fields.slice(4).join(" ")}`)).toBeUndefined();
  });

  it("does not take a reused pid for the recorded process", () => {
    const record = { name: "etcd", pid: 42, startTicks: 1000 };
    expect(isAlive(record, () => 1000)).toBe(true);
    expect(isAlive(record, () => 2000)).toBe(false);
    expect(isAlive(record, () => undefined)).toBe(false);
  });
});

describe.runIf(process.platform === "linux")("detached processes", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "wsc-processes-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("are remembered, found again and ended, and their output is kept", async () => {
    const pids = mkdtempSync(join(folder, "pids-"));
    const started = startDetached("greeter", ["sh", "-c", "echo hello; exec sleep 60"], { pids, logs: folder });
    expect(readRecords(pids)).toEqual([started]);
    expect(isAlive(started)).toBe(true);
    const log = await poll(async () => readFileSync(join(folder, "greeter.log"), "utf8") || undefined, 5_000, 10);
    expect(log).toBe("hello\n");
    signalRecord(started, "SIGKILL");
    expect(await poll(async () => (isAlive(started) ? undefined : "ended"), 5_000, 10)).toBe("ended");
  });

  it("never signals a process that only has the same pid", () => {
    // Our own pid with a wrong start time: a signal would end this test.
    signalRecord({ name: "x", pid: process.pid, startTicks: 1 }, "SIGKILL");
    expect(startTicksOf(process.pid)).toBeGreaterThan(1);
  });

  it("lets one command at a time in, and ignores the lock of a dead one", async () => {
    const file = join(folder, "lock");
    await withLock(file, async () => {
      await expect(withLock(file, async () => undefined)).rejects.toMatchObject({ code: "BUSY" });
    });
    writeFileSync(file, `${process.pid} 1\n`);
    await expect(withLock(file, async () => "in")).resolves.toBe("in");
  });
});
