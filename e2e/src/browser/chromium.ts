// A headless Chromium of the system, as a user would have it. Not here: pages.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import type { BrowserContext, Page } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

const START_MS = 30_000;

export class ChromiumError extends Error {
  readonly code = "chromium";
}

export type Chromium = {
  readonly context: BrowserContext;
  readonly openWindow: () => Promise<Page>;
  stop(): Promise<void>;
};

export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [process.env["CHROMIUM"] ?? "", ...paths].find((path) => path !== "" && existsSync(path));
}

/** For the title of a suite that is skipped. */
export const whySkipped = (path: string | undefined) =>
  path === undefined ? " (skipped: no Chromium; install it or set CHROMIUM)" : "";

/**
 * Started by hand and without Playwright's defaults: under those every page believes that it is looked at, and a tab in the
 * background is not slowed down.
 */
export async function launchChromium(path: string): Promise<Chromium> {
  const profile = mkdtempSync(join(tmpdir(), "wsc-chromium-"));
  const child = spawn(path, [...ARGS, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 3_000);
    await ended;
    clearTimeout(timer);
    // Its last children may still write.
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  try {
    const browser = await chromium.connectOverCDP(await endpointOf(child), { noDefaults: true });
    const [context] = browser.contexts();
    if (!context) throw new ChromiumError(`cannot use ${path}: it has no window`);
    const session = await browser.newBrowserCDPSession();
    return {
      context,
      openWindow: async () => {
        const opened = context.waitForEvent("page");
        await session.send("Target.createTarget", { url: "about:blank", newWindow: true });
        return opened;
      },
      async stop() {
        await browser.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function endpointOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const fail = (why: string) =>
      reject(new ChromiumError(`cannot start Chromium: ${why}; it said ${text.slice(-500)}`));
    const timer = setTimeout(() => fail(`no answer within ${START_MS} ms`), START_MS);
    child.once("error", (error) => fail(error.message));
    child.once("close", (code) => fail(`it ended with ${code}`));
    child.stderr?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const endpoint = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (endpoint === undefined) return;
      clearTimeout(timer);
      resolve(endpoint);
    });
  });
}
