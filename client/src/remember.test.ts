import { describe, expect, it } from "vitest";
import type { Message } from "./subscription.ts";
import type { LocksLike } from "./remember.ts";
import { remember } from "./remember.ts";
import { pub, ready, ScriptedSocket, subOk, welcome } from "./testing/scripted-server.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

const CHANNEL = "room";

class Storage {
  readonly items = new Map<string, string>();
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
}

/** Web Locks of one browser: who asks waits until the holder's page is gone, or its signal fires. */
class Locks {
  readonly #held = new Set<string>();

  page(): LocksLike & { leave(): void } {
    const mine = new Set<string>();
    return {
      request: (name, { signal }, run) => {
        if (this.#held.has(name)) {
          return new Promise((_resolve, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error)),
          );
        }
        this.#held.add(name);
        mine.add(name);
        return run();
      },
      leave: () => {
        for (const name of mine) this.#held.delete(name);
      },
    };
  }
}

/** One page with the SDK in it: connected, subscribed, and told messages up to `top`. */
async function openPage(storage: Storage, locks: (LocksLike & { leave(): void }) | null) {
  const clock = new VirtualClock();
  const page = new EventTarget();
  const memory = await remember("chat", { storage, clock, page, locks });
  const sockets: ScriptedSocket[] = [];
  const client = memory.connect({
    url: "ws://cluster.test/ws",
    clock,
    platform: {},
    webSocket: (url, protocol) => {
      const socket = new ScriptedSocket(url, protocol);
      sockets.push(socket);
      return socket;
    },
  });
  await clock.advance(0);
  const socket = sockets[0] ?? expect.unreachable();
  const got: Message[] = [];
  client.subscribe(CHANNEL, { from: memory.position(CHANNEL), onMessage: (message) => void got.push(message) });
  socket.open();
  const hello = socket.last("hello");
  return { memory, client, clock, socket, hello, page, got, leave: () => locks?.leave() };
}

describe("a page that reloads", () => {
  it("goes on with the same session from where it was", async () => {
    const storage = new Storage();
    const locks = new Locks();
    const first = await openPage(storage, locks.page());
    expect(first.hello.resume).toBeUndefined();
    first.socket.say(welcome(), subOk(CHANNEL, 0), ready, pub(CHANNEL, 1), pub(CHANNEL, 2));
    first.page.dispatchEvent(new Event("pagehide"));
    first.leave();

    const second = await openPage(storage, locks.page());
    expect(second.memory.isCopy).toBe(false);
    expect(second.hello).toMatchObject({
      instance: first.hello.instance,
      resume: { session: "s1", secret: "secret", pos: [[CHANNEL, "e1", 2]] },
      producer: { id: first.hello.producer?.id, gen: 2 },
    });
  });

  it("writes by itself too, for pages that are killed", async () => {
    const storage = new Storage();
    const first = await openPage(storage, new Locks().page());
    first.socket.say(welcome(), subOk(CHANNEL, 0), ready, pub(CHANNEL, 1));
    await first.clock.advance(250);
    const second = await openPage(storage, new Locks().page());
    expect(second.hello.resume?.pos).toEqual([[CHANNEL, "e1", 1]]);
  });

  it("never goes below the generation that the server made its publisher raise", async () => {
    const storage = new Storage();
    const first = await openPage(storage, new Locks().page());
    first.socket.say(welcome(), subOk(CHANNEL, 0), ready);
    void first.client.publish(CHANNEL, "one").catch(() => undefined);
    void first.client.publish(CHANNEL, "two").catch(() => undefined);
    const { i } = first.socket.all("pub")[1] ?? expect.unreachable();
    first.socket.say({ t: "err", i, code: "out-of-order", message: "lost", last: 0 });
    const raised = JSON.parse(storage.getItem("wscluster:chat") ?? "") as { producer: { generation: number } };
    const second = await openPage(storage, new Locks().page());
    expect(second.hello.producer?.gen).toBeGreaterThan(raised.producer.generation);
  });

  it("forgets a channel that was left, and everything when told so", async () => {
    const storage = new Storage();
    const first = await openPage(storage, new Locks().page());
    const other = first.client.subscribe("other");
    first.socket.say(welcome(), subOk(CHANNEL, 0), ready);
    first.socket.say(subOk("other", 5, { i: first.socket.last("sub").i }));
    first.page.dispatchEvent(new Event("pagehide"));
    expect((await remember("chat", { storage, locks: new Locks().page() })).position("other")).toBeDefined();
    other.unsubscribe();
    first.page.dispatchEvent(new Event("pagehide"));
    expect((await remember("chat", { storage, locks: new Locks().page() })).position("other")).toBeUndefined();
    first.memory.forget();
    first.page.dispatchEvent(new Event("pagehide"));
    expect(storage.items.size).toBe(0);
  });

  it("begins anew when the storage holds something else", async () => {
    for (const text of ["", "null", "{", '{"instance":1}']) {
      const storage = new Storage();
      storage.setItem("wscluster:chat", text);
      expect((await openPage(storage, new Locks().page())).hello.resume).toBeUndefined();
    }
  });
});

describe("a copy of a tab", () => {
  it("gets a session of its own and reads on from the same place", async () => {
    const locks = new Locks();
    const storage = new Storage();
    const first = await openPage(storage, locks.page());
    first.socket.say(welcome(), subOk(CHANNEL, 0), ready, pub(CHANNEL, 1));
    first.page.dispatchEvent(new Event("pagehide"));
    const copied = new Storage();
    for (const [key, value] of storage.items) copied.setItem(key, value);

    const copy = await openPage(copied, locks.page());
    expect(copy.memory.isCopy).toBe(true);
    expect(copy.hello.resume).toBeUndefined();
    expect(copy.hello.sub).toEqual([{ c: CHANNEL, from: { epoch: "e1", offset: 1 } }]);
    expect(copy.hello.instance).not.toBe(first.hello.instance);
    expect(copy.hello.producer?.id).not.toBe(first.hello.producer?.id);
  });

  it("asks as a stranger where there are no locks: the server gives an idle session only", async () => {
    const storage = new Storage();
    const first = await openPage(storage, null);
    first.socket.say(welcome(), subOk(CHANNEL, 0), ready);
    first.page.dispatchEvent(new Event("pagehide"));
    const second = await openPage(storage, null);
    expect(second.hello.resume?.session).toBe("s1");
    expect(second.hello.instance).not.toBe(first.hello.instance);
    expect(second.hello.producer?.id).not.toBe(first.hello.producer?.id);
  });
});
