import { describe, expect, it } from "vitest";
import { ready, stage, welcome } from "./testing/scripted-server.ts";

describe("a page that cannot connect", () => {
  /** The edge's answers, one per question; the test sees what was asked. */
  function edge(answers: unknown[]) {
    const asked: string[] = [];
    const fetch = async (url: string) => {
      asked.push(url);
      return { json: async () => answers.shift() };
    };
    return { asked, platform: { fetch } };
  }

  it("asks the edge once for its window and keeps to it", async () => {
    const { asked, platform } = edge([{ admit: false, windowMs: 60_000 }]);
    const scene = stage({ platform, url: "wss://cluster.test/ws?tenant=a" });
    await scene.clock.advance(0);
    scene.socket().end(1006);
    await scene.clock.advance(0);
    expect(asked).toEqual(["https://cluster.test/wsc/admission"]);
    expect(scene.eventsOf("connect-failed")).toMatchObject([{ httpWorks: true }]);
    expect(scene.eventsOf("waiting").at(-1)).toMatchObject({ delayMs: 30_000, windowed: true });
    await scene.clock.advance(29_999);
    expect(scene.sockets).toHaveLength(1);
    await scene.clock.advance(1);
    expect(scene.sockets).toHaveLength(2);
    scene.socket().end(1006);
    await scene.clock.advance(0);
    expect(asked).toHaveLength(1);
  });

  it("asks again after it was connected, and not when the server closed an open connection", async () => {
    const { asked, platform } = edge([{ windowMs: 0 }, { windowMs: 0 }]);
    const scene = stage({ platform });
    await scene.clock.advance(0);
    scene.socket().end(1006);
    await scene.clock.advance(3_000);
    scene.socket().open().say(welcome(), ready).end(1006);
    await scene.clock.advance(0);
    expect(asked).toHaveLength(1);
    await scene.clock.advance(3_000);
    scene.socket().end(1006);
    await scene.clock.advance(0);
    expect(asked).toHaveLength(2);
  });

  it("goes on with its backoff when the answer is no window, too late or none", async () => {
    for (const answer of [null, {}, { windowMs: -1 }, { windowMs: "9" }, { admit: true, windowMs: 0 }]) {
      const scene = stage({ platform: edge([answer]).platform });
      await scene.clock.advance(0);
      scene.socket().end(1006);
      await scene.clock.advance(1_500);
      expect(scene.sockets).toHaveLength(2);
    }
    const refuse = () => Promise.reject(new TypeError("network"));
    const offline = stage({ platform: { fetch: refuse } });
    await offline.clock.advance(0);
    offline.socket().end(1006);
    await offline.clock.advance(0);
    expect(offline.eventsOf("connect-failed")).toMatchObject([{ httpWorks: false }]);
    let answer = (_: unknown): void => {};
    const late = new Promise((resolve) => (answer = resolve));
    const scene = stage({ platform: { fetch: async () => ({ json: () => late }) } });
    await scene.clock.advance(0);
    scene.socket().end(1006);
    await scene.clock.advance(1_500);
    scene.socket().open().say(welcome(), ready);
    answer({ windowMs: 60_000 });
    await scene.clock.advance(0);
    expect(scene.client.state).toBe("live");
  });

  it("never waits longer than five minutes for anybody's number", async () => {
    const scene = stage({ platform: edge([{ windowMs: 1e12 }]).platform });
    await scene.clock.advance(0);
    scene.socket().end(1006);
    await scene.clock.advance(0);
    expect(scene.eventsOf("waiting").at(-1)).toMatchObject({ delayMs: 150_000 });
  });
});
