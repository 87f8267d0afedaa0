import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../runtime/clock.ts";
import type { Pod } from "./objects.ts";
import type { Change } from "./ports.ts";
import { Reflector, type ReflectorOptions } from "./reflector.ts";
import { resources } from "./resources.ts";
import {
  answerJson,
  answerStatus,
  listJson,
  openStream,
  podJson,
  sendLine,
  startScriptedServer,
  type ScriptedServer,
  type SeenRequest,
} from "./testing/scripted-server.ts";

let server: ScriptedServer;
let reflector: Reflector<Pod>;

afterEach(async () => {
  await reflector.stop();
  await server.close();
});

type Plan = {
  /** The n-th list, counted from 1. */
  onList: (n: number, response: ServerResponse, request: SeenRequest) => void;
  /** The n-th watch, counted from 1. */
  onWatch: (n: number, response: ServerResponse, request: SeenRequest) => void;
  options?: Partial<ReflectorOptions<Pod>>;
};

type Trial = { changes: string[]; problems: string[] };

async function begin(plan: Plan): Promise<Trial> {
  let lists = 0;
  let watches = 0;
  server = await startScriptedServer((request, response) => {
    if (request.isWatch) plan.onWatch(++watches, response, request);
    else plan.onList(++lists, response, request);
  });
  const trial: Trial = { changes: [], problems: [] };
  reflector = new Reflector({
    client: server.client,
    resource: resources.pods,
    clock: systemClock,
    random: () => 0.5,
    backoff: { baseMs: 2, capMs: 20 },
    onProblem: ({ doing }) => trial.problems.push(doing),
    ...plan.options,
  });
  reflector.onChange((change) => trial.changes.push(storyOf(change)));
  reflector.start();
  return trial;
}

function storyOf(change: Change<Pod>): string {
  const { name, uid, resourceVersion } = change.object.metadata;
  return `${change.type} ${name}${uid === `uid-${name}` ? "" : `(${uid})`}@${resourceVersion}`;
}

const quietList: Plan["onList"] = (_, response) => answerJson(response, listJson(10, [podJson("a", 5)]));
const quietWatch: Plan["onWatch"] = (_, response) => openStream(response);
const poll = { timeout: 5000, interval: 5 };

describe("following", () => {
  it("lists, watches with bookmarks from the list's version, and says when it is synced", async () => {
    const trial = await begin({
      onList: quietList,
      onWatch: (_, response) => {
        openStream(response);
        sendLine(response, { type: "ADDED", object: podJson("b", 11) });
        sendLine(response, { type: "MODIFIED", object: podJson("b", 12) });
        sendLine(response, { type: "DELETED", object: podJson("a", 13) });
      },
      options: { watchSeconds: { min: 240, max: 480 } },
    });
    expect(reflector.hasSynced()).toBe(false);
    expect(await reflector.waitForSync()).toBe(true);
    await expect.poll(() => trial.changes, poll).toEqual(["added a@5", "added b@11", "updated b@12", "deleted a@13"]);
    const query = server.watches[0]?.url.searchParams;
    expect(query?.get("allowWatchBookmarks")).toBe("true");
    expect(query?.get("resourceVersion")).toBe("10");
    expect(query?.get("timeoutSeconds")).toBe("360");
    expect(reflector.store.list().map((pod) => pod.metadata.name)).toEqual(["b"]);
    expect(reflector.store.get("default/b")?.metadata.managedFields).toBeUndefined();
    expect(reflector.freshness()).toMatchObject({ synced: true, connected: true });
  });

  it("delivers lines that arrive in pieces, also inside a character", async () => {
    const trial = await begin({
      onList: quietList,
      onWatch: (_, response) => {
        openStream(response);
        const line = Buffer.from(`${JSON.stringify({ type: "ADDED", object: podJson("grün", 11) })}\n`);
        const cut = line.indexOf(Buffer.from("ü")) + 1;
        response.write(line.subarray(0, cut), () => setImmediate(() => response.write(line.subarray(cut))));
      },
    });
    await expect.poll(() => trial.changes, poll).toEqual(["added a@5", "added grün@11"]);
  });

  it("continues from a bookmark's version", async () => {
    await begin({
      onList: quietList,
      onWatch: (n, response) => {
        openStream(response);
        if (n > 1) return;
        sendLine(response, { type: "BOOKMARK", object: { metadata: { resourceVersion: "99" } } });
        response.end();
      },
    });
    await expect.poll(() => server.watches.length, poll).toBe(2);
    expect(server.watches[1]?.url.searchParams.get("resourceVersion")).toBe("99");
    expect(reflector.store.resourceVersion).toBe("99");
    expect(server.lists).toHaveLength(1);
  });

  it("opens one watch for many starts", async () => {
    await begin({ onList: quietList, onWatch: quietWatch });
    for (let i = 0; i < 5; i++) reflector.start();
    await expect.poll(() => server.openWatches, poll).toBe(1);
    await reflector.stop();
    await expect.poll(() => server.openWatches, poll).toBe(0);
    reflector.start();
    expect(server.watches).toHaveLength(1);
    expect(server.lists).toHaveLength(1);
  });

  it("survives a handler that throws, and tells the others", async () => {
    const trial = await begin({
      onList: quietList,
      onWatch: (_, response) => {
        openStream(response);
        sendLine(response, { type: "ADDED", object: podJson("b", 11) });
      },
    });
    const later: string[] = [];
    reflector.onChange(() => {
      throw new Error("broken handler");
    });
    reflector.onChange((change) => later.push(storyOf(change)));
    await expect.poll(() => later, poll).toEqual(["added a@5", "added b@11"]);
    expect(trial.problems).toEqual(["handle", "handle"]);
    expect(server.openWatches).toBe(1);
  });
});

describe("faults", () => {
  it("reconnects from the last version when the connection is reset in mid-stream", async () => {
    const trial = await begin({
      onList: quietList,
      onWatch: (n, response) => {
        openStream(response);
        if (n === 1) {
          sendLine(response, { type: "ADDED", object: podJson("b", 11) });
        } else {
          sendLine(response, { type: "ADDED", object: podJson("c", 12) });
        }
      },
    });
    await expect.poll(() => trial.changes.length, poll).toBe(2);
    server.resetAll();
    await expect.poll(() => trial.changes, poll).toEqual(["added a@5", "added b@11", "added c@12"]);
    expect(server.watches[1]?.url.searchParams.get("resourceVersion")).toBe("11");
    expect(server.lists).toHaveLength(1);
    expect(trial.problems).toEqual(["watch"]);
  });

  it("lists again on 410 as a status, and emits the deletes that were missed", async () => {
    const trial = await begin({
      onList: (n, response) =>
        answerJson(
          response,
          n === 1
            ? listJson(10, [podJson("a", 5), podJson("b", 6)])
            : listJson(20, [podJson("b", 6), podJson("c", 15)]),
        ),
      onWatch: (n, response) => (n === 1 ? answerStatus(response, 410, "Expired") : openStream(response)),
    });
    await expect.poll(() => trial.changes, poll).toEqual(["added a@5", "added b@6", "deleted a@5", "added c@15"]);
    await expect.poll(() => server.watches[1]?.url.searchParams.get("resourceVersion"), poll).toBe("20");
  });

  it("lists again on 410 as an event", async () => {
    await begin({
      onList: quietList,
      onWatch: (n, response) => {
        openStream(response);
        if (n === 1) sendLine(response, { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } });
      },
    });
    await expect.poll(() => server.lists.length, poll).toBe(2);
    await expect.poll(() => server.openWatches, poll).toBe(1);
  });

  it("continues after an error event of another kind without a new list", async () => {
    await begin({
      onList: quietList,
      onWatch: (n, response) => {
        openStream(response);
        if (n === 1)
          sendLine(response, { type: "ERROR", object: { kind: "Status", code: 500, reason: "InternalError" } });
      },
    });
    await expect.poll(() => server.watches.length, poll).toBe(2);
    expect(server.lists).toHaveLength(1);
  });

  it("reads an event again whose line was broken", async () => {
    const trial = await begin({
      onList: quietList,
      onWatch: (n, response) => {
        openStream(response);
        if (n === 1) {
          sendLine(response, { type: "ADDED", object: podJson("b", 11) });
          response.write('{"type":"ADDED","object":{"metad\n');
        } else sendLine(response, { type: "ADDED", object: podJson("c", 12) });
      },
    });
    await expect.poll(() => trial.changes, poll).toEqual(["added a@5", "added b@11", "added c@12"]);
    expect(server.watches[1]?.url.searchParams.get("resourceVersion")).toBe("11");
  });

  it("takes silence for a dead connection", async () => {
    const trial = await begin({ onList: quietList, onWatch: quietWatch, options: { inactivityMs: 60 } });
    await expect.poll(() => server.watches.length, poll).toBeGreaterThanOrEqual(2);
    await expect.poll(() => server.openWatches, poll).toBeLessThanOrEqual(1);
    expect(trial.problems[0]).toBe("watch");
  });

  it("keeps a busy watch open past the silence limit", async () => {
    let ticks = 0;
    await begin({
      onList: quietList,
      onWatch: (_, response) => {
        openStream(response);
        const timer = setInterval(() => {
          ticks++;
          sendLine(response, { type: "BOOKMARK", object: { metadata: { resourceVersion: String(100 + ticks) } } });
        }, 20);
        response.once("close", () => clearInterval(timer));
      },
      options: { inactivityMs: 200 },
    });
    await expect.poll(() => ticks, poll).toBeGreaterThan(20);
    expect(server.watches).toHaveLength(1);
  });

  it("retries a failing list until it works", async () => {
    const trial = await begin({
      onList: (n, response) =>
        n <= 3 ? answerStatus(response, 500, "InternalError") : answerJson(response, listJson(10, [])),
      onWatch: quietWatch,
    });
    expect(await reflector.waitForSync()).toBe(true);
    expect(trial.problems).toEqual(["list", "list", "list"]);
  });

  it("sees a new object under an old name as a delete and an add", async () => {
    const trial = await begin({
      onList: (n, response) =>
        answerJson(
          response,
          n === 1 ? listJson(10, [podJson("a", 5)]) : listJson(20, [podJson("a", 15, { uid: "new" })]),
        ),
      onWatch: (n, response) => {
        if (n === 1) {
          answerStatus(response, 410, "Expired");
          return;
        }
        openStream(response);
        sendLine(response, { type: "MODIFIED", object: podJson("a", 21, { uid: "newer" }) });
        sendLine(response, { type: "DELETED", object: podJson("a", 22, { uid: "new" }) });
      },
    });
    await expect
      .poll(() => trial.changes, poll)
      .toEqual(["added a@5", "deleted a@5", "added a(new)@15", "deleted a(new)@15", "added a(newer)@21"]);
  });

  it("backs off from a server that ends every watch at once, then lists again", async () => {
    await begin({ onList: quietList, onWatch: (_, response) => response.end() });
    await expect.poll(() => server.lists.length, poll).toBeGreaterThanOrEqual(2);
    expect(server.watches.length).toBeGreaterThanOrEqual(4);
    // Four watches and a pause after each: far from a hot loop.
    expect(server.watches.length / server.lists.length).toBeLessThanOrEqual(4);
  });
});

describe("stopping", () => {
  it("during back-off leaves no watch behind", async () => {
    await begin({
      onList: quietList,
      onWatch: (_, response) => response.socket?.resetAndDestroy(),
      options: { backoff: { baseMs: 60_000, capMs: 60_000 } },
    });
    await expect.poll(() => server.watches.length, poll).toBe(1);
    await reflector.stop();
    expect(server.openWatches).toBe(0);
    expect(server.watches).toHaveLength(1);
    expect(reflector.freshness().connected).toBe(false);
  });

  it("while the list hangs ends and wakes those who wait for it", async () => {
    await begin({ onList: () => {}, onWatch: quietWatch });
    const waiting = reflector.waitForSync();
    await expect.poll(() => server.lists.length, poll).toBe(1);
    await reflector.stop();
    expect(await waiting).toBe(false);
    expect(server.watches).toHaveLength(0);
  });

  it("before the start opens nothing", async () => {
    server = await startScriptedServer(() => {});
    reflector = new Reflector({ client: server.client, resource: resources.pods, clock: systemClock, random: () => 0 });
    await reflector.stop();
    reflector.start();
    expect(await reflector.waitForSync()).toBe(false);
    expect(server.requests).toHaveLength(0);
  });
});
