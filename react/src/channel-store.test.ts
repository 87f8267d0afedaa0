import { ClientError } from "@wscluster/client";
import type { Client, Message, SubscribeOptions } from "@wscluster/client";
import { describe, expect, it, vi } from "vitest";
import { NO_CHANNEL, channelStoreOf, withDivergence, withHistory, withMessage } from "./channel-store.ts";

const message = (offset: number, epoch = "e1"): Message => ({
  channel: "room",
  epoch,
  offset,
  publisher: "ann",
  timestamp: 0,
  data: offset,
});
const offsets = (messages: readonly Message[]) => messages.map(({ offset }) => offset);
const holding = (...all: readonly Message[]) => ({ ...NO_CHANNEL, messages: all });

describe("the messages of a channel", () => {
  it("keep the newest up to the limit", () => {
    expect(offsets(withMessage(holding(message(1), message(2)), message(3), 2).messages)).toEqual([2, 3]);
  });

  it("take history in front, each message once", () => {
    const channel = holding(message(3), message(4));
    expect(
      offsets(
        withHistory(
          channel,
          [1, 2, 3].map((o) => message(o)),
          10,
        ).messages,
      ),
    ).toEqual([1, 2, 3, 4]);
    expect(offsets(withHistory(channel, [message(2)], 2).messages)).toEqual([3, 4]);
    expect(offsets(withHistory(NO_CHANNEL, [message(1)], 5).messages)).toEqual([1]);
  });

  it("lose what the store lost, and only that", () => {
    const channel = holding(message(1), message(2), message(3), message(3, "e2"));
    const diverged = { channel: "room", previous: { epoch: "e1", offset: 2 }, position: { epoch: "e2", offset: 2 } };
    expect(withDivergence(channel, diverged).messages).toEqual([message(1), message(2), message(3, "e2")]);
  });
});

type Fake = { readonly client: Client; readonly calls: string[]; options: SubscribeOptions | undefined };

function fakeClient(refusal?: ClientError): Fake {
  const fake: { calls: string[]; options: SubscribeOptions | undefined } = { calls: [], options: undefined };
  const subscribe = (name: string, options: SubscribeOptions) => {
    if (refusal) throw refusal;
    fake.calls.push(`subscribe ${name}`);
    fake.options = options;
    return {
      unsubscribe: () => fake.calls.push(`unsubscribe ${name}`),
      subscribed: () => Promise.resolve({ channel: name, position: { epoch: "e1", offset: 5 }, recovered: true }),
    };
  };
  const ask = ({ c, from, n }: { c: string; from: { epoch: string; offset: number }; n: number }) => {
    const items = Array.from({ length: n }, (_, index) => {
      const { publisher: p, timestamp: ts, data: d, offset: o } = message(from.offset + index + 1);
      return { t: "pub", c, o, p, ts, d };
    });
    return Promise.resolve({ t: "page", e: from.epoch, items, more: false });
  };
  const ready = () => Promise.resolve();
  return Object.assign(fake, { client: { subscribe, ready, wire: { ask } } as unknown as Client });
}

describe("channelStoreOf", () => {
  it("shares one subscription, keeps it over a remount and leaves the channel after the last release", () => {
    vi.useFakeTimers();
    try {
      const { client, calls } = fakeClient();
      const first = channelStoreOf(client, "room", { history: 0 });
      const [release, other] = [first.hold(10), channelStoreOf(client, "room", { history: 0 }).hold(10)];
      release();
      release();
      vi.runAllTimers();
      expect(calls).toEqual(["subscribe room"]);
      other();
      // Strict mode: let go and taken again in the same tick.
      const again = channelStoreOf(client, "room", { history: 0 }).hold(10);
      vi.runAllTimers();
      expect(calls).toEqual(["subscribe room"]);
      again();
      vi.runAllTimers();
      expect(calls).toEqual(["subscribe room", "unsubscribe room"]);
      expect(channelStoreOf(client, "room", { history: 0 })).not.toBe(first);
    } finally {
      vi.useRealTimers();
    }
  });

  it("tells listeners of history and messages, which keep their order", async () => {
    const fake = fakeClient();
    const store = channelStoreOf(fake.client, "room", { history: 3 });
    store.hold(4);
    const seen: number[][] = [];
    store.subscribe(() => void seen.push(offsets(store.snapshot().messages)));
    fake.options?.onMessage?.(message(6));
    await vi.waitFor(() => expect(seen.at(-1)).toEqual([3, 4, 5, 6]));
    expect(store.snapshot().status).toBe("subscribed");
    fake.options?.onGap?.({ channel: "room", epoch: "e1", from: 6, to: 9, why: "history-expired" });
    expect(store.snapshot().gaps).toHaveLength(1);
  });

  it("ends with the reason when the server or the client refuses", () => {
    const error = new ClientError("refused", "cannot subscribe: forbidden");
    const fake = fakeClient();
    const store = channelStoreOf(fake.client, "room", { history: 0 });
    fake.options?.onError?.(error);
    expect(store.snapshot()).toMatchObject({ status: "ended", error });
    expect(channelStoreOf(fakeClient(error).client, "room", { history: 0 }).snapshot()).toMatchObject({
      status: "ended",
      error,
    });
  });
});
