// The SDK against real servers in this process: an edge of one line, clients that publish and check, and the verdict. Not here:
// clusters and their load (load/, oracle/).

import type { Client, ClientEvent, Message } from "@wscluster/client";
import { connect } from "@wscluster/client";
import type { TestServer } from "@wscluster/server/testing";
import { WebSocket } from "ws";

/** Polls until `isReached`; fails with `what` after the deadline. */
export async function until(isReached: () => boolean, what: string, deadlineMs = 15_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!isReached()) {
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for: ${what}`);
    await new Promise((wake) => setTimeout(wake, 5));
  }
}

/** A socket seen from the client, for the proof that the new one was welcomed before the old one ended, and who ended it. */
export type SocketStory = {
  readonly pod: string | undefined;
  welcomedAtMs?: number;
  closeCalledAtMs?: number;
  closedAtMs?: number;
  closeCode?: number;
  socket: WebSocket;
};

/** What an edge does: the named pod where `?pod=` names one, else the next of those that take new connections. */
export class TinyEdge {
  readonly servers: TestServer[];
  /** Takes no unnamed arrivals. */
  readonly closed = new Set<TestServer>();
  #turn = 0;

  constructor(servers: readonly TestServer[]) {
    this.servers = [...servers];
  }

  targetOf(url: URL): string {
    const key = url.searchParams.get("pod");
    const open = this.servers.filter((server) => !this.closed.has(server));
    const target = this.servers.find((server) => server.podKey === key) ?? open[(this.#turn += 1) % open.length];
    if (!target) throw new Error("no server is open");
    return target.url + url.search;
  }
}

export type Published = { readonly by: string; readonly n: number };

/** A client that publishes numbered messages, and records what it gets. */
export class Actor {
  readonly name: string;
  readonly client: Client;
  readonly stories: SocketStory[] = [];
  readonly events: ClientEvent[] = [];
  readonly got = new Map<string, Message<Published>[]>();
  readonly acknowledged = new Map<string, number>();
  readonly failures: unknown[] = [];
  /** Sequence of each channel; counts every call of `publish`. */
  readonly called = new Map<string, number>();
  gaps = 0;
  session = "";

  constructor(name: string, edge: TinyEdge, random: () => number = () => 0) {
    this.name = name;
    this.client = connect({
      url: "ws://edge.test/ws",
      user: name,
      random: seededId(name, random),
      webSocket: (url, protocol) => this.#open(edge.targetOf(new URL(url)), protocol),
    });
    this.client.on("*", (event) => {
      this.events.push(event);
      if (event.type === "welcome") this.session = event.session;
    });
  }

  #open(target: string, protocol: string): WebSocket {
    const socket = new WebSocket(target, protocol);
    const story: SocketStory = { pod: new URL(target).searchParams.get("pod") ?? undefined, socket };
    this.stories.push(story);
    socket.on("message", (data: Buffer) => {
      if (data.toString().startsWith('{"t":"welcome"')) story.welcomedAtMs ??= performance.now();
    });
    socket.on("error", () => {});
    socket.on("close", (code) => {
      story.closedAtMs = performance.now();
      story.closeCode = code;
    });
    const close = socket.close.bind(socket);
    socket.close = (code, reason) => {
      story.closeCalledAtMs ??= performance.now();
      close(code, reason);
    };
    return socket;
  }

  async join(...channels: string[]): Promise<void> {
    for (const channel of channels) {
      const messages: Message<Published>[] = [];
      this.got.set(channel, messages);
      await this.client
        .subscribe<Published>(channel, {
          onMessage: (message) => void messages.push(message),
          onGap: () => void (this.gaps += 1),
        })
        .subscribed();
    }
  }

  publish(channel: string): void {
    const n = (this.called.get(channel) ?? 0) + 1;
    this.called.set(channel, n);
    const data: Published = { by: this.name, n };
    this.client.publish(channel, data).then(
      () => this.acknowledged.set(channel, (this.acknowledged.get(channel) ?? 0) + 1),
      (error: unknown) => this.failures.push(error),
    );
  }
}

// Producer ids come from `random` as well and must differ between actors, whatever the test wants of the delays.
function seededId(name: string, random: () => number): () => number {
  let left = 16;
  let hash = 2_166_136_261;
  for (const char of name) hash = Math.imul(hash ^ char.charCodeAt(0), 16_777_619);
  return () => {
    if (left <= 0) return random();
    left -= 1;
    hash = Math.imul(hash ^ left, 16_777_619);
    return (hash >>> 0) / 0x1_0000_0000;
  };
}

export type Verdict = { lost: number; duplicated: number; reordered: number; forked: number; unacknowledged: number };

/** What each member of `channel` got, against what was published there. */
export function verdictOf(actors: readonly Actor[], channel: string): Verdict {
  const verdict: Verdict = { lost: 0, duplicated: 0, reordered: 0, forked: 0, unacknowledged: 0 };
  const authors = new Map(actors.map((actor) => [actor.name, actor.called.get(channel) ?? 0]));
  let first: string | undefined;
  for (const actor of actors) {
    verdict.unacknowledged += (actor.called.get(channel) ?? 0) - (actor.acknowledged.get(channel) ?? 0);
    const messages = actor.got.get(channel);
    if (!messages) continue;
    const seen = new Map<string, number[]>();
    for (const { data } of messages) seen.set(data.by, [...(seen.get(data.by) ?? []), data.n]);
    for (const [author, published] of authors) {
      const numbers = seen.get(author) ?? [];
      const unique = new Set(numbers);
      verdict.lost += published - unique.size;
      verdict.duplicated += numbers.length - unique.size;
      verdict.reordered += numbers.filter((n, at) => n < (numbers[at - 1] ?? 0)).length;
    }
    const told = messages.map(({ offset, data }) => `${offset}:${data.by}:${data.n}`).join();
    first ??= told;
    if (told !== first) verdict.forked += 1;
  }
  return verdict;
}

export const FLAWLESS: Verdict = { lost: 0, duplicated: 0, reordered: 0, forked: 0, unacknowledged: 0 };
