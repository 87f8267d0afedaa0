// The example pages in a real browser, as a user would use them.

import { readFileSync } from "node:fs";
import { connect } from "@wscluster/client";
import type { Client } from "@wscluster/client";
import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { TestServer } from "@wscluster/server/testing";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startTestEdge } from "../foreign/test-edge.ts";
import type { TestEdge } from "../foreign/test-edge.ts";
import { findChromium, launchChromium, whySkipped } from "./chromium.ts";
import type { Chromium } from "./chromium.ts";
import { bundleFor, servePages } from "./page-server.ts";
import type { PageServer } from "./page-server.ts";

const PATH = findChromium();
const EXAMPLES = new URL("../../../examples/", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, EXAMPLES), "utf8");
const PATIENCE = { timeout: 15_000, interval: 50 };

describe.skipIf(PATH === undefined)(`the example pages in Chromium${whySkipped(PATH)}`, { timeout: 90_000 }, () => {
  let browser: Chromium;
  let pages: PageServer;
  let servers: TestServer[] = [];
  let edge: TestEdge;
  let friend: Client;
  const opened: Page[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium(PATH ?? "");
    pages = await servePages({
      "/react/index.html": read("react-chat/index.html"),
      "/react/dist/main.js": await bundleFor(new URL("react-chat/main.tsx", EXAMPLES)),
      "/plain.html": read("plain-page/index.html"),
    });
  }, 60_000);

  afterAll(async () => {
    await browser?.stop();
    await pages?.stop();
  });

  beforeEach(async () => {
    const store = new MemoryStore();
    servers = await Promise.all([startServer({ broker: store }), startServer({ broker: store })]);
    edge = await startTestEdge(servers, server(0));
    const webSocket = (url: string, protocol: string) => new WebSocket(url, protocol);
    friend = connect({ url: server(1).url, user: "bob", webSocket });
    complaints.length = 0;
  }, 30_000);

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((page) => page.close()));
    friend?.close();
    await edge?.stop();
    await Promise.all(servers.map((started) => started.stop()));
  });

  const server = (index: number): TestServer => servers[index] ?? expect.unreachable();

  async function open(path: string): Promise<Page> {
    const page = await browser.openWindow();
    opened.push(page);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    const query = new URLSearchParams({ url: edge.url, room: "lobby", name: "ann" });
    await page.goto(`${pages.url}${path}?${query.toString()}`);
    return page;
  }

  const status = (page: Page) => page.getByRole("status").textContent();
  const lines = (page: Page) => page.locator("ol li:not([aria-hidden]):not(.hint)").allTextContents();
  const says = async (page: Page, text: string) => {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };

  it("React: shows earlier and new messages once, moves without a flicker, survives a break", async () => {
    await friend.publish("lobby", { text: "from before" });
    const page = await open("/react/index.html");
    await expect.poll(() => status(page), PATIENCE).toContain(`connected to pod ${server(0).podKey}`);
    await expect.poll(() => lines(page), PATIENCE).toHaveLength(1);
    // Strict mode mounts everything twice: still one session and one subscription.
    expect(server(0).sessions()).toHaveLength(1);
    expect((await server(0).state()).arrivals).toEqual({ named: 0, unnamed: 1 });
    await says(page, "hello");
    await friend.publish("lobby", { text: "hi ann" });
    await expect.poll(() => lines(page), PATIENCE).toHaveLength(3);
    await page.evaluate(`(() => {
      globalThis.statuses = [];
      const status = document.querySelector("[role=status]");
      new MutationObserver(() => statuses.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
    })()`);
    const [session = ""] = server(0).sessions();
    server(0).forceMove(session, server(1));
    await says(page, "on the way");
    await expect.poll(() => status(page), PATIENCE).toContain(`connected to pod ${server(1).podKey}`);
    await expect.poll(() => lines(page), PATIENCE).toHaveLength(4);
    expect(await page.evaluate("statuses.filter((text) => !text.startsWith('connected'))")).toEqual([]);
    edge.cutAll();
    await friend.publish("lobby", { text: "while you were away" });
    await expect.poll(() => lines(page), PATIENCE).toHaveLength(5);
    await expect.poll(() => status(page), PATIENCE).toContain("connected to pod");
    const texts = (await lines(page)).map((line) => line.replace(/^(ann|bob)\d\d?:\d\d( [AP]M)?/, "$1: "));
    expect(texts).toEqual([
      "bob: from before",
      "ann: hello",
      "bob: hi ann",
      "ann: on the way",
      "bob: while you were away",
    ]);
    expect(complaints).toEqual([]);
  });

  it("React: shows what waits for the connection, and sends it once", async () => {
    const page = await open("/react/index.html");
    await expect.poll(() => status(page), PATIENCE).toContain("connected to pod");
    await browser.context.setOffline(true);
    edge.cutAll();
    await expect.poll(() => status(page), PATIENCE).toBe("offline, trying again");
    await says(page, "written offline");
    await expect
      .poll(() => page.locator("li.sending").allTextContents(), PATIENCE)
      .toEqual(["annsendingwritten offline"]);
    await browser.context.setOffline(false);
    await expect.poll(() => page.locator("li.sending").count(), PATIENCE).toBe(0);
    expect((await lines(page)).filter((line) => line.includes("written offline"))).toHaveLength(1);
  });

  it("React: a closed page leaves no connection behind", async () => {
    const page = await open("/react/index.html");
    await expect.poll(() => server(0).sessions().length, PATIENCE).toBe(1);
    await page.close();
    await expect.poll(() => server(0).sessions().length, PATIENCE).toBe(0);
  });

  it("without a library: talks to the others, and comes back in the window after 1012", async () => {
    const page = await open("/plain.html");
    await expect.poll(() => status(page), PATIENCE).toBe("connected to #lobby as ann");
    await says(page, "hello");
    await friend.publish("lobby", { text: "hi ann" });
    await expect.poll(() => lines(page), PATIENCE).toEqual(["ann: hello", "bob: hi ann"]);
    edge.takesNew = server(1);
    const leaving = server(0).terminate();
    await expect.poll(() => status(page), PATIENCE).toMatch(/^closed \(1012\), coming back in \d/);
    await expect.poll(() => status(page), PATIENCE).toBe("connected to #lobby as ann");
    await leaving;
    await friend.publish("lobby", { text: "welcome back" });
    await expect.poll(() => lines(page), PATIENCE).toContain("bob: welcome back");
    expect(complaints).toEqual([]);
  });
});
