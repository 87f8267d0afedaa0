// Real browsers through the real edge: what users do with tabs while the fleet is rolled.
import { ADMISSION } from "@wscluster/protocol";
import { findChromium, launchChromium } from "../browser/chromium.ts";
import { Tab } from "../browser/tab.ts";
import { serveTabPage, verdictOf } from "../browser/tabs.ts";
import { FAULTS } from "../oracle/evidence.ts";
import type { Chat } from "../product/chat.ts";
import { waitFor } from "../product/wait.ts";
import { Checks, type Scenario, type ScenarioContext, Skip } from "./scenario.ts";
import { breathe, openChat, ROLLOUT_TIMEOUT_MS } from "./stage.ts";

const CHANNEL = "tabs";
const EVERY_MS = 50;
/** Slow enough that the tabs' own mishaps fall between the moves. */
const PER_SECOND = 1;
const PATIENCE_MS = 30_000;
/** One for each of the two edge pods. */
const BRAKED_PER_SECOND = 2;
const HERD_EVERY_MS = 50;
/** The shortest window that an edge gives. */
const LEAST_WINDOW_MS = 3_000;

export const browsers: Scenario = {
  name: "browsers",
  shows:
    "browser tabs lose nothing in a rollout: one looked at, one in the background, one offline, one reloaded, one duplicated; and keep to the window of a braked edge",
  timeoutSeconds: 240,
  async run(context) {
    const path = findChromium();
    if (path === undefined) throw new Skip("no Chromium: install it or set CHROMIUM");
    const chromium = await launchChromium(path);
    context.defer(() => chromium.stop());
    const pages = await serveTabPage();
    context.defer(() => pages.stop());
    const chat = await openChat(context, { maxPerSecond: PER_SECOND });
    const way = await chat.clientUrl();
    context.defer(() => way.close());
    const open = (user: string) =>
      Tab.open(chromium, pages.url, { url: way.url, user, channel: CHANNEL, everyMs: EVERY_MS, remembers: true });

    const looked = await open("looked-at");
    const behind = await open("in-the-background");
    const offline = await open("offline");
    const reloaded = await open("reloaded");
    const tabs = [looked, behind, offline, reloaded];
    await Promise.all(tabs.map((tab) => untilTab(context, "every tab to publish", () => tab.count("stored"), 10)));
    await behind.minimize(true);

    const green = context.images["server:v2"];
    await chat.setImage(green);
    const copy = await looked.duplicate(chromium, "copy");
    tabs.push(copy);
    const moved = async () =>
      (await Promise.all(tabs.map((tab) => tab.events("moved")))).reduce((sum, n) => sum + n, 0);
    await untilTab(context, "the first move", moved, 1, ROLLOUT_TIMEOUT_MS);
    await offline.setOffline(true);
    await reloaded.reload();
    await breathe(context, 2);
    await offline.setOffline(false);
    await chat.switched(green, ROLLOUT_TIMEOUT_MS);
    await chat.settled(green, 3, ROLLOUT_TIMEOUT_MS);
    await behind.minimize(false);
    const patient = await Tab.open(chromium, pages.url, { ...looked.start, user: "patient", random: 0.5 });
    tabs.push(patient);
    await untilTab(context, "one more tab to publish", () => patient.count("stored"), 10);
    const waitedMs = await meetBrake(context, chat, way.url, patient);
    await breathe(context, 2);

    await Promise.all(tabs.map((tab) => tab.finish()));
    await waitFor("all tabs at the same offset", async () => (await haveMet(tabs)) || undefined, {
      timeoutMs: PATIENCE_MS,
      signal: context.signal,
    });
    const verdict = await verdictOf(tabs);
    const moves = await moved();
    context.say(
      `${verdict.published} published, ${verdict.delivered} delivered of ${verdict.expected}; ` +
        `${FAULTS.map((fault) => `${verdict[fault]} ${fault}`).join(", ")}; ${moves} moves of ${tabs.length} tabs`,
    );
    const checks = new Checks();
    for (const fault of FAULTS) checks.equal(fault, verdict[fault], 0);
    checks.equal("weak evidence", verdict.weak, []);
    checks.holds(
      `the edge's window kept: half of at least ${LEAST_WINDOW_MS} ms`,
      waitedMs >= LEAST_WINDOW_MS / 2 - 50,
      Math.round(waitedMs),
    );
    for (const tab of tabs) {
      const { user } = tab.start;
      checks.equal(`gaps told to ${user}`, await tab.events("gap"), 0);
      // A page that was reloaded while it was to move came back by resume, maybe on the new set at once.
      if (tab !== reloaded && tab !== patient)
        checks.holds(`${user} moved`, (await tab.events("moved")) >= 1, await tab.events("moved"));
      if (tab !== offline) checks.equal(`breaks seen by ${user}`, await tab.events("disconnect"), 0);
    }
    checks.settle();
  },
};

/**
 * The edge lets one a second in, many more come, and among them is a page that was reloaded.
 * @returns how long it waited after it had heard of the window, in milliseconds.
 */
async function meetBrake(context: ScenarioContext, chat: Chat, url: string, tab: Tab): Promise<number> {
  await chat.patch({ edge: { newConnectionsPerSecond: BRAKED_PER_SECOND } });
  const herd = setInterval(() => {
    const one = new WebSocket(url);
    one.onopen = () => one.close();
    one.onerror = () => undefined;
  }, HERD_EVERY_MS);
  context.defer(() => clearInterval(herd));
  const admission = new URL(ADMISSION.path, url.replace(/^ws/, "http"));
  await waitFor(
    "the edge to refuse",
    async () => {
      const answer = (await (await fetch(admission)).json()) as { readonly windowMs: number };
      return answer.windowMs > 0 || undefined;
    },
    { timeoutMs: PATIENCE_MS, everyMs: 200, signal: context.signal },
  );
  // One in twenty is let in all the same; then the page is reloaded once more.
  await waitFor(
    "a page to be refused",
    async () => {
      if ((await tab.events("connect-failed")) > 0) return true;
      await tab.reload();
      return undefined;
    },
    { timeoutMs: PATIENCE_MS, everyMs: 1_500, signal: context.signal },
  );
  clearInterval(herd);
  const refusedMs = (await tab.lastEventMs("connect-failed")) ?? 0;
  const since = async () => ((await tab.lastEventMs("resumed")) ?? 0) - refusedMs;
  await untilTab(context, "the page to be let in", since, 1, 2 * PATIENCE_MS);
  await chat.patch({ edge: { newConnectionsPerSecond: null } });
  return since();
}

async function haveMet(tabs: readonly Tab[]): Promise<boolean> {
  return new Set(await Promise.all(tabs.map((tab) => tab.offset()))).size === 1;
}

function untilTab(
  context: ScenarioContext,
  what: string,
  count: () => Promise<number>,
  atLeast: number,
  timeoutMs = PATIENCE_MS,
): Promise<number> {
  let seen = 0;
  const probe = async () => {
    seen = await count();
    return seen >= atLeast ? seen : undefined;
  };
  return waitFor(what, probe, { timeoutMs, everyMs: 100, signal: context.signal, seen: () => `${seen}` });
}
