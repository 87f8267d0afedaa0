// A browser tab with the SDK in it, driven by a test. Not here: what the tab does (tab-script.ts).

import type { CDPSession, Page } from "playwright-core";
import type { Oracle } from "../oracle/oracle.ts";
import type { Chromium } from "./chromium.ts";
import type { Diary, DiaryEntry, TabScript, TabStart } from "./tab-script.ts";

export class Tab {
  readonly page: Page;
  readonly start: TabStart;
  readonly #cdp: CDPSession;

  private constructor(page: Page, cdp: CDPSession, start: TabStart) {
    this.page = page;
    this.#cdp = cdp;
    this.start = start;
  }

  /** In a window of its own: two tabs of one window are never both looked at. */
  static async open({ context, openWindow }: Chromium, pageUrl: string, start: TabStart): Promise<Tab> {
    const page = await openWindow();
    await page.goto(pageUrl);
    const tab = new Tab(page, await context.newCDPSession(page), start);
    await tab.begin();
    return tab;
  }

  /** Another tab with a copy of this one's storage, as "duplicate" in the tab's menu makes it. */
  async duplicate({ context }: Chromium, user: string): Promise<Tab> {
    const opened = context.waitForEvent("page");
    await this.page.evaluate(() => {
      (globalThis as unknown as { open(url: string): unknown }).open("/index.html");
    });
    const page = await opened;
    await page.waitForFunction(() => "tab" in globalThis);
    const tab = new Tab(page, await context.newCDPSession(page), { ...this.start, user, isCopy: true });
    await tab.begin();
    return tab;
  }

  async begin(): Promise<void> {
    await this.page.evaluate((start) => (globalThis as unknown as { tab: TabScript }).tab.start(start), this.start);
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.begin();
  }

  async minimize(isMinimized: boolean): Promise<void> {
    const { windowId } = await this.#cdp.send("Browser.getWindowForTarget");
    const windowState = isMinimized ? "minimized" : "normal";
    await this.#cdp.send("Browser.setWindowBounds", { windowId, bounds: { windowState } });
  }

  /** This tab alone: what the browser tells its page, and what new connections meet. */
  async setOffline(isOffline: boolean): Promise<void> {
    await this.#cdp.send("Network.enable");
    const conditions = { offline: isOffline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.#cdp.send("Network.emulateNetworkConditions", conditions);
  }

  /** Stops the page as the browser does with tabs that were in the background for long. */
  async freeze(isFrozen: boolean): Promise<void> {
    await this.#cdp.send("Page.setWebLifecycleState", { state: isFrozen ? "frozen" : "active" });
    if (isFrozen) return;
    // A frozen page counts as hidden, and stays so until its window is looked at again.
    await this.minimize(true);
    await this.minimize(false);
  }

  diary(): Promise<Diary> {
    return this.page.evaluate(() => (globalThis as unknown as { tab: TabScript }).tab.diary());
  }

  finish(): Promise<void> {
    return this.page.evaluate(() => (globalThis as unknown as { tab: TabScript }).tab.finish());
  }

  isHidden(): Promise<boolean> {
    return this.page.evaluate(() => (globalThis as unknown as { tab: TabScript }).tab.isHidden());
  }

  async count(kind: DiaryEntry["kind"]): Promise<number> {
    return (await this.diary()).entries.filter((entry) => entry.kind === kind).length;
  }

  async events(type: string): Promise<number> {
    return (await this.diary()).entries.filter((entry) => entry.kind === "event" && entry.type === type).length;
  }

  /** When such an event came last, in milliseconds of the tab's own clock; `undefined`: never. */
  async lastEventMs(type: string): Promise<number | undefined> {
    const { entries } = await this.diary();
    return entries.flatMap((entry) => (entry.kind === "event" && entry.type === type ? [entry.atMs] : [])).at(-1);
  }

  /** Offset of the last message that the tab was given. */
  async offset(): Promise<number> {
    return (await this.diary()).position?.offset ?? 0;
  }

  /** Tells the oracle what this tab saw. */
  async report(oracle: Oracle): Promise<void> {
    const { user: client, channel } = this.start;
    for (const entry of (await this.diary()).entries) {
      if (entry.kind === "subscribed") oracle.subscribed({ client, channel, after: entry.after });
      else if (entry.kind === "published") oracle.published({ publisher: client, channel, id: entry.id, at: 0 });
      else if (entry.kind === "stored") oracle.acknowledged({ channel, id: entry.id, offset: entry.offset, at: 0 });
      else if (entry.kind === "received") {
        const { offset, publisher, data } = entry;
        oracle.received({ client, channel, offset, publisher, ...data });
      }
    }
  }
}
