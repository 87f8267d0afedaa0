import { describe, expect, it } from "vitest";
import { Lanes } from "./lanes.ts";

const lanesWithoutWaits = () => new Lanes({ delay: () => Promise.resolve() });

describe("lanes", () => {
  it("do one after another, each until it is done, and do not wait for each other", async () => {
    const lanes = lanesWithoutWaits();
    const done: string[] = [];
    let failures = 3;
    const task = (name: string, fails = false) =>
      lanes.run(name[0] ?? "", async () => {
        await Promise.resolve();
        if (fails && failures-- > 0) return false;
        done.push(name);
        return true;
      });
    await Promise.all([task("a1", true), task("a2"), task("b1"), task("a3")]);
    expect(done).toEqual(["b1", "a1", "a2", "a3"]);
    expect(lanes.waiting).toBe(0);
  });

  it("say when there is room", async () => {
    const lanes = lanesWithoutWaits();
    let open = (_: boolean) => {};
    const gate = new Promise<boolean>((resolve) => {
      open = resolve;
    });
    void lanes.run("a", () => gate);
    void lanes.run("b", () => Promise.resolve(true));
    let hasRoom = false;
    const room = lanes.below(1).then(() => {
      hasRoom = true;
    });
    await expect.poll(() => lanes.waiting).toBe(1);
    expect(hasRoom).toBe(false);
    open(true);
    await room;
    expect(lanes.waiting).toBe(0);
  });

  it("stopped, neither try again nor begin what waits", async () => {
    let tell = () => {};
    const asked = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const lanes = new Lanes({
      delay: () => {
        tell();
        return Promise.resolve();
      },
    });
    let began = 0;
    void lanes.run("a", () => Promise.resolve(false));
    void lanes.run("a", () => {
      began += 1;
      return Promise.resolve(true);
    });
    await asked;
    await lanes.stop();
    expect([began, lanes.waiting]).toEqual([0, 0]);
    await lanes.below(1);
  });
});
