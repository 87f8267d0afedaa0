// The storm brake at a real HAProxy: no reload, exact to the arrival, and readable for a browser.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HaproxyProxy } from "./proxy.ts";
import { HAPROXY, startHaproxy, type TestHaproxy } from "./testing/haproxy.ts";
import { dialRefused, get, startPod, type TestPod } from "./testing/socket.ts";

const KEY = "1111111111114111";

describe.skipIf(HAPROXY === undefined)("the storm brake", () => {
  let haproxy: TestHaproxy;
  let proxy: HaproxyProxy;
  let pod: TestPod;

  beforeEach(async () => {
    haproxy = await startHaproxy("eeeeeeee-0000-4000-8000-000000000000");
    proxy = new HaproxyProxy({ path: haproxy.runtimePath });
    pod = await startPod(KEY);
    const server = { key: KEY, address: "127.0.0.1", port: pod.port, checkPort: pod.port, state: "ready" as const };
    await proxy.run({ kind: "add", key: KEY, server });
    await proxy.run({ kind: "set-state", key: KEY, state: "ready" });
  });
  afterEach(async () => {
    proxy.close();
    await pod.close();
    await haproxy.dispose();
  });

  const admission = async () => JSON.parse((await get(haproxy.clientPath, "/wsc/admission")).body) as unknown;
  /** Plain requests are refused before they are counted: only upgrades are arrivals. */
  const arrive = async (path = "/ws") =>
    (await dialRefused(haproxy.clientPath, path).catch(() => undefined))?.status ?? 101;

  it("lets in what is allowed, tells the rest when to come back, and counts both", async () => {
    expect(await proxy.readAdmission()).toEqual({ limitPerSecond: 0, admittedPerSecond: 0, refusedPerSecond: 0 });
    expect(await admission()).toEqual({ admit: true, windowMs: 0 });
    await proxy.setAdmission({ limitPerSecond: 3, windowMs: 12_500 });
    const pid = haproxy.pid;
    const statuses: number[] = [];
    for (let count = 0; count < 40; count++) statuses.push(await arrive());
    const refused = statuses.filter((status) => status === 503).length;
    expect(statuses.slice(0, 3)).toEqual([101, 101, 101]);
    expect(refused).toBeGreaterThan(20);
    expect(await admission()).toEqual({ admit: false, windowMs: 12_500 });
    const answer = await dialRefused(haproxy.clientPath, "/ws");
    expect([answer.headers["retry-after"], answer.body]).toEqual(["13", '{"code":"too-many-arrivals"}']);
    const state = await proxy.readAdmission();
    expect(state).toMatchObject({ limitPerSecond: 3 });
    expect(state === "unsupported" ? 0 : state.refusedPerSecond).toBeGreaterThan(0);
    // By name they come all the same: those are moves.
    expect(await arrive(`/ws?pod=${KEY}&ticket=any`)).toBe(101);
    await proxy.setAdmission({ limitPerSecond: 0, windowMs: 0 });
    expect(await arrive()).toBe(101);
    expect(haproxy.pid).toBe(pid);
  });

  it("says that there is no room where there is nobody", async () => {
    await proxy.run({ kind: "set-state", key: KEY, state: "maint" });
    await expect.poll(admission).toEqual({ admit: false, windowMs: 3_000 });
  });
});
