// The SDK in a real browser, through breaks and moves: the oracle counts.

import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { TestServer } from "@wscluster/server/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startTestEdge } from "../foreign/test-edge.ts";
import type { TestEdge } from "../foreign/test-edge.ts";
import { findChromium, launchChromium, whySkipped } from "./chromium.ts";
import type { Chromium } from "./chromium.ts";
import type { PageServer } from "./page-server.ts";
import { Tab } from "./tab.ts";
import { serveTabPage, verdictOf } from "./tabs.ts";

const PATH = findChromium();
const CHANNEL = "room";
const PATIENCE = { timeout: 20_000, interval: 50 };

describe.skipIf(PATH === undefined)(`the SDK in Chromium${whySkipped(PATH)}`, { timeout: 90_000 }, () => {
  let browser: Chromium;
  let pages: PageServer;
  let servers: TestServer[] = [];
  let edge: TestEdge;
  let tabs: Tab[] = [];

  beforeAll(async () => {
    browser = await launchChromium(PATH ?? "");
    pages = await serveTabPage();
  }, 60_000);

  afterAll(async () => {
    await browser?.stop();
    await pages?.stop();
  });

  beforeEach(async () => {
    const store = new MemoryStore();
    servers = await Promise.all([startServer({ broker: store }), startServer({ broker: store })]);
    edge = await startTestEdge(servers, server(0));
    tabs = [];
    for (const user of ["ann", "bob"]) {
      tabs.push(
        await Tab.open(browser, pages.url, {
          url: edge.url,
          user,
          channel: CHANNEL,
          everyMs: 20,
          remembers: true,
        }),
      );
    }
    await Promise.all(tabs.map((tab) => expect.poll(() => tab.count("stored"), PATIENCE).toBeGreaterThan(10)));
  }, 60_000);

  afterEach(async () => {
    await Promise.all(tabs.map(({ page }) => page.close()));
    await edge?.stop();
    await Promise.all(servers.map((started) => started.stop()));
  });

  const server = (index: number): TestServer => servers[index] ?? expect.unreachable();
  const tab = (index: number): Tab => tabs[index] ?? expect.unreachable();

  function moveAll(from: TestServer, to: TestServer): number {
    return from.sessions().filter((session) => from.forceMove(session, to) !== undefined).length;
  }

  /** Something goes on for a while in every tab. */
  async function goOn(): Promise<void> {
    const [first, second] = await Promise.all(tabs.map((one) => one.count("stored")));
    await expect.poll(() => tab(0).count("stored"), PATIENCE).toBeGreaterThan((first ?? 0) + 10);
    await expect.poll(() => tab(1).count("stored"), PATIENCE).toBeGreaterThan(second ?? 0);
  }

  /** @param unanswered publishes of which a page could not learn the answer, at most. */
  async function expectNothingLost(unanswered = 0): Promise<void> {
    await Promise.all(tabs.map((one) => one.finish()));
    const tops = async () => Promise.all(tabs.map((one) => one.offset()));
    await expect
      .poll(async () => new Set(await tops()).size, { ...PATIENCE, message: "all tabs are at the same offset" })
      .toBe(1);
    const verdict = await verdictOf(tabs);
    expect(verdict.examples).toEqual([]);
    expect(verdict).toMatchObject({ ok: true, lost: 0, duplicated: 0, reordered: 0, weak: [] });
    expect(verdict.delivered).toBeGreaterThan(60);
    expect(verdict.unanswered).toBeLessThanOrEqual(unanswered);
    expect(await Promise.all(tabs.map((one) => one.events("gap")))).toEqual(tabs.map(() => 0));
  }

  it("moves from pod to pod and back without losing a message", async () => {
    for (const [turn, [from, to]] of [[0, 1] as const, [1, 0] as const, [0, 1] as const].entries()) {
      expect(moveAll(server(from), server(to))).toBe(2);
      for (const one of tabs) await expect.poll(() => one.events("moved"), PATIENCE).toBe(turn + 1);
      await goOn();
    }
    await expectNothingLost();
    expect(await Promise.all(tabs.map((one) => one.events("disconnect")))).toEqual([0, 0]);
  });

  it("moves while its tab is in the background", async () => {
    await tab(0).minimize(true);
    await expect.poll(() => tab(0).isHidden(), PATIENCE).toBe(true);
    expect(moveAll(server(0), server(1))).toBe(2);
    for (const one of tabs) await expect.poll(() => one.events("moved"), PATIENCE).toBe(1);
    await tab(0).minimize(false);
    await expect.poll(() => tab(0).isHidden(), PATIENCE).toBe(false);
    await goOn();
    await expectNothingLost();
  });

  it("comes back after the browser froze its page and the connection died meanwhile", async () => {
    await tab(0).freeze(true);
    edge.cutAll();
    await expect.poll(() => tab(1).events("resumed"), PATIENCE).toBe(1);
    await tab(0).freeze(false);
    await expect.poll(() => tab(0).events("resumed"), PATIENCE).toBe(1);
    await goOn();
    await expectNothingLost();
  });

  it("comes back after the machine was offline", async () => {
    await browser.context.setOffline(true);
    edge.cutAll();
    for (const one of tabs) await expect.poll(() => one.events("disconnect"), PATIENCE).toBe(1);
    edge.takesNew = server(1);
    await browser.context.setOffline(false);
    for (const one of tabs) await expect.poll(() => one.events("resumed"), PATIENCE).toBe(1);
    await goOn();
    expect(server(1).sessions()).toHaveLength(2);
    await expectNothingLost();
  });

  it("keeps its session when its page is reloaded", async () => {
    const sessions = new Set([...server(0).sessions(), ...server(1).sessions()]);
    await tab(0).reload();
    await goOn();
    expect(new Set(server(0).sessions())).toEqual(sessions);
    await expectNothingLost(10);
  });

  it("gets a session of its own when its tab is duplicated, and nobody is thrown out", async () => {
    tabs.push(await tab(0).duplicate(browser, "ann-again"));
    await expect.poll(() => tab(2).count("stored"), PATIENCE).toBeGreaterThan(10);
    await tab(0).page.bringToFront();
    await goOn();
    expect(server(0).sessions()).toHaveLength(3);
    await expectNothingLost();
    expect(await Promise.all(tabs.map((one) => one.events("disconnect")))).toEqual([0, 0, 0]);
  });

  it("keeps to the window of an edge that lets nobody in", async () => {
    const waiter = await Tab.open(browser, pages.url, { ...tab(0).start, user: "eve", random: 0.5 });
    tabs.push(waiter);
    await expect.poll(() => waiter.count("stored"), PATIENCE).toBeGreaterThan(10);
    edge.brakeMs = 4_000;
    edge.cutAll();
    await expect.poll(() => waiter.events("connect-failed"), PATIENCE).toBe(1);
    edge.brakeMs = 0;
    for (const one of tabs) await expect.poll(() => one.events("resumed"), PATIENCE).toBe(1);
    // The middle of the window; of itself it would have tried again after 750 ms.
    const waitedMs = ((await waiter.lastEventMs("resumed")) ?? 0) - ((await waiter.lastEventMs("connect-failed")) ?? 0);
    expect(waitedMs).toBeGreaterThanOrEqual(1_990);
    await goOn();
    await expectNothingLost();
  });

  it("goes on from its stored position after a reload, while the other tab moves", async () => {
    await tab(0).reload();
    expect(moveAll(server(0), server(1))).toBeGreaterThan(0);
    await expect.poll(() => tab(1).events("moved"), PATIENCE).toBe(1);
    await goOn();
    // What was on its way when the page went is stored or not: the page that asked is gone.
    await expectNothingLost(10);
  });
});
