// What runs with several tabs share: the page that they open, and the verdict on what all of them saw. Not here: one tab (tab.ts).

import { Oracle } from "../oracle/oracle.ts";
import type { Verdict } from "../oracle/evidence.ts";
import type { PageServer } from "./page-server.ts";
import { bundleFor, servePages } from "./page-server.ts";
import type { Tab } from "./tab.ts";

const PAGE = `<!doctype html><title>tab</title><link rel="icon" href="data:,"><script type="module" src="/tab.js"></script>`;

export async function serveTabPage(): Promise<PageServer> {
  const script = await bundleFor(new URL("tab-script.ts", import.meta.url));
  return servePages({ "/index.html": PAGE, "/tab.js": script });
}

/** To be asked when the tabs have finished and stand at the same offset. */
export async function verdictOf(tabs: readonly Tab[]): Promise<Verdict> {
  const oracle = new Oracle();
  for (const tab of tabs) await tab.report(oracle);
  return oracle.verdict();
}
