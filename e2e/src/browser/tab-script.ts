// Runs in a browser tab: an SDK client that publishes, and writes down what it sees where a reload does not wipe it out.
// Not here: the tab (tab.ts).

import { connect, remember } from "@wscluster/client";
import type { Client, ConnectionState, Position } from "@wscluster/client";

export type Data = { readonly id: string; readonly seq: number };

/** One line of the diary. */
export type DiaryEntry =
  | { readonly kind: "subscribed"; readonly after: number }
  | { readonly kind: "published"; readonly id: string }
  | { readonly kind: "stored"; readonly id: string; readonly offset: number }
  | { readonly kind: "received"; readonly offset: number; readonly publisher: string; readonly data: Data }
  | { readonly kind: "event"; readonly type: string; readonly atMs: number };

/** Position and diary change together: what was received before a reload is neither forgotten nor asked for again. */
export type Diary = {
  readonly entries: DiaryEntry[];
  position: Position | undefined;
  seq: number;
};

export type TabStart = {
  readonly url: string;
  readonly user: string;
  readonly channel: string;
  readonly everyMs: number;
  /** Keeps its session across a reload. */
  readonly remembers?: boolean;
  /** What the SDK gets for a random number, each time. */
  readonly random?: number;
  /** The tab is a copy: it goes on from the position of the other one, but what that one saw is not its own. */
  readonly isCopy?: boolean;
};

export interface TabScript {
  start(options: TabStart): Promise<void>;
  /** Publishes no more; resolves when all was answered. */
  finish(): Promise<void>;
  diary(): Diary;
  state(): ConnectionState;
  pod(): string | undefined;
  isHidden(): boolean;
}

type Browser = {
  tab?: TabScript;
  readonly sessionStorage: { getItem(key: string): string | null; setItem(key: string, value: string): void };
  readonly document: { readonly visibilityState: string };
};

const KEY = "diary";
const TOLD = ["moved", "migrate-failed", "disconnect", "resumed", "gap", "diverged", "connect-failed"] as const;
const browser = globalThis as unknown as Browser;
const { sessionStorage, document } = browser;

function load(): Diary {
  const text = sessionStorage.getItem(KEY);
  return text === null ? { entries: [], position: undefined, seq: 0 } : (JSON.parse(text) as Diary);
}

const diary = load();
let client: Client | undefined;
let timer: ReturnType<typeof setInterval> | undefined;

function write(entry: DiaryEntry): void {
  diary.entries.push(entry);
  sessionStorage.setItem(KEY, JSON.stringify(diary));
}

function publishOne(channel: string, user: string): void {
  diary.seq += 1;
  const data: Data = { id: `${user}:${diary.seq}`, seq: diary.seq };
  write({ kind: "published", id: data.id });
  void client?.publish(channel, data).then(({ offset }) => write({ kind: "stored", id: data.id, offset }));
}

browser.tab = {
  async start({ url, user, channel, everyMs, remembers = false, isCopy = false, random }) {
    if (isCopy) {
      diary.entries.length = 0;
      diary.seq = 0;
      write({ kind: "subscribed", after: diary.position?.offset ?? 0 });
    }
    const options = { url, user, ...(random === undefined ? {} : { random: () => random }) };
    client = remembers ? (await remember("tab")).connect(options) : connect(options);
    for (const type of TOLD) client.on(type, ({ atMs }) => write({ kind: "event", type, atMs }));
    const subscription = client.subscribe<Data>(channel, {
      ...(diary.position ? { from: diary.position } : {}),
      onSubscribed: ({ position }) => {
        if (diary.position) return;
        diary.position = position;
        write({ kind: "subscribed", after: position.offset });
      },
      onMessage: ({ epoch, offset, publisher, data }) => {
        diary.position = { epoch, offset };
        write({ kind: "received", offset, publisher, data });
      },
    });
    void subscription.subscribed().then(() => {
      timer = setInterval(() => publishOne(channel, user), everyMs);
    });
  },
  async finish() {
    clearInterval(timer);
    await client?.flush();
  },
  diary: () => diary,
  state: () => client?.state ?? "idle",
  pod: () => client?.pod,
  isHidden: () => document.visibilityState === "hidden",
};
