import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { createLifecycle, handleSignals } from "./lifecycle.ts";

const quiet = { warn: () => {}, info: () => {} };

describe("createLifecycle", () => {
  it("starts in order, stops in reverse, once", async () => {
    const log: string[] = [];
    const part = (name: string) => ({
      name,
      stopWithinMs: 1_000,
      start: () => void log.push(`+${name}`),
      stop: () => void log.push(`-${name}`),
    });
    const life = createLifecycle([part("a"), part("b")], quiet);
    await life.start();
    await Promise.all([life.stop(), life.stop()]);
    expect(log).toEqual(["+a", "+b", "-b", "-a"]);
  });

  it("undoes what was started when a later part fails", async () => {
    const log: string[] = [];
    const life = createLifecycle(
      [
        { name: "a", stopWithinMs: 1_000, stop: () => void log.push("-a") },
        { name: "b", stopWithinMs: 1_000, start: () => Promise.reject(new Error("port taken")) },
      ],
      quiet,
    );
    await expect(life.start()).rejects.toThrow("cannot start b: port taken");
    expect(log).toEqual(["-a"]);
  });

  it("goes on past a part that hangs or throws, and names it", async () => {
    const log: string[] = [];
    const life = createLifecycle(
      [
        { name: "last", stopWithinMs: 1_000, stop: () => void log.push("last") },
        { name: "throws", stopWithinMs: 1_000, stop: () => Promise.reject(new Error("no")) },
        { name: "hangs", stopWithinMs: 10, stop: () => new Promise<void>(() => {}) },
      ],
      quiet,
    );
    await life.start();
    expect(await life.stop()).toEqual(["hangs", "throws"]);
    expect(log).toEqual(["last"]);
  });
});

describe("handleSignals", () => {
  it("ends gently first and by force second, whatever the signals", () => {
    const source = new EventEmitter();
    const log: string[] = [];
    const stop = handleSignals(
      source,
      (signal) => void log.push(`gentle ${signal}`),
      (signal) => void log.push(`force ${signal}`),
    );
    source.emit("SIGTERM");
    source.emit("SIGINT");
    stop();
    source.emit("SIGTERM");
    expect(log).toEqual(["gentle SIGTERM", "force SIGINT"]);
  });
});
