import { afterEach, describe, expect, it } from "vitest";
import { isKubeError, type KubeError } from "./errors.ts";
import type { RequestReport } from "./ports.ts";
import { resources } from "./resources.ts";
import {
  answerJson,
  answerStatus,
  listJson,
  podJson,
  startScriptedServer,
  type Script,
  type ScriptedServer,
} from "./testing/scripted-server.ts";

const ref = { namespace: "default", name: "a" };
const pods = resources.pods;
let server: ScriptedServer;

afterEach(() => server.close());

async function serve(script: Script, options: Parameters<typeof startScriptedServer>[1] = {}): Promise<ScriptedServer> {
  server = await startScriptedServer(script, options);
  return server;
}

async function failureOf(promise: Promise<unknown>): Promise<KubeError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isKubeError(error)) throw new Error(`expected a KubeError, got ${String(error)}`);
  return error;
}

describe("connections", () => {
  it("makes 20 sequential reads over at most 2 connections", async () => {
    const { client } = await serve((_, response) => answerJson(response, podJson("a", 1)));
    for (let i = 0; i < 20; i++) await client.get(pods, ref);
    expect(server.requests).toHaveLength(20);
    expect(server.connectionCount).toBeLessThanOrEqual(2);
  });

  it("sends a fresh token after 401, once", async () => {
    let token = "old";
    const { client } = await serve(
      (request, response) => {
        if (request.headers.authorization === "Bearer new") answerJson(response, podJson("a", 1));
        else {
          token = "new";
          answerStatus(response, 401, "Unauthorized");
        }
      },
      { token: () => token },
    );
    expect((await client.get(pods, ref)).metadata.name).toBe("a");
    expect(server.requests).toHaveLength(2);
  });

  it("repeats a read whose kept-alive connection was cut, never a write", async () => {
    let cut = true;
    const { client } = await serve((_, response) => {
      if (cut) response.socket?.resetAndDestroy();
      else answerJson(response, podJson("a", 1));
      cut = false;
    });
    expect((await client.get(pods, ref)).metadata.name).toBe("a");
    cut = true;
    const error = await failureOf(client.patch(pods, ref, {}, { type: "merge" }));
    expect(error.code).toBe("Unreachable");
    expect(error.message).toMatch(/^cannot patch pods default\/a: /);
    expect(server.requests.map((request) => request.method)).toEqual(["GET", "GET", "PATCH"]);
  });
});

describe("reading", () => {
  it("keeps fields that no type knows", async () => {
    const { client } = await serve((_, response) =>
      answerJson(response, { ...podJson("a", 1), spec: { futureField: { deep: [1] } } }),
    );
    expect(await client.get(pods, ref)).toMatchObject({ spec: { futureField: { deep: [1] } } });
  });

  it("finds nothing without an error", async () => {
    const { client } = await serve((_, response) => answerStatus(response, 404, "NotFound"));
    expect(await client.find(pods, ref)).toBeUndefined();
    expect((await failureOf(client.get(pods, ref))).code).toBe("NotFound");
  });

  it("reads all pages and completes the items", async () => {
    const { client } = await serve((request, response) => {
      const next = request.url.searchParams.get("continue");
      const { apiVersion: _v, kind: _k, ...bare } = podJson(next === null ? "a" : "b", 1);
      answerJson(response, next === null ? listJson(7, [bare], "more") : listJson(7, [bare]));
    });
    const list = await client.list(pods, { namespace: "default", labelSelector: "x=y", pageSize: 1 });
    expect(list.items.map((item) => `${item.apiVersion}/${item.kind}/${item.metadata.name}`)).toEqual([
      "v1/Pod/a",
      "v1/Pod/b",
    ]);
    expect(list.resourceVersion).toBe("7");
    expect(server.requests[0]?.url.search).toBe("?labelSelector=x%3Dy&limit=1");
    expect(server.requests[0]?.url.pathname).toBe("/api/v1/namespaces/default/pods");
  });

  it("lists all at once when the continue token expired, mixing no versions", async () => {
    const { client } = await serve((request, response) => {
      if (request.url.searchParams.has("continue")) answerStatus(response, 410, "Expired");
      else if (request.url.searchParams.has("limit")) answerJson(response, listJson(7, [podJson("gone", 1)], "more"));
      else answerJson(response, listJson(9, [podJson("a", 8), podJson("b", 9)]));
    });
    const list = await client.list(pods, { pageSize: 1 });
    expect(list.items.map((item) => item.metadata.name)).toEqual(["a", "b"]);
    expect(list.resourceVersion).toBe("9");
  });
});

describe("waiting as told", () => {
  it("honours Retry-After of 429, for writes too", async () => {
    const times: number[] = [];
    const { client } = await serve((_, response) => {
      times.push(performance.now());
      if (times.length === 1) {
        response.writeHead(429, { "retry-after": "1" });
        response.end("Too many requests, please try again later.");
      } else answerJson(response, podJson("a", 1));
    });
    await client.create(pods, { apiVersion: "v1", kind: "Pod", metadata: ref });
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
    expect(client.writeCount).toBe(2);
  });

  it("gives the 429 to the caller when the wait does not fit into the time", async () => {
    const { client } = await serve((_, response) => answerJson(response, {}, 429, { "retry-after": "60" }));
    const error = await failureOf(client.get(pods, ref, { timeoutMs: 5000 }));
    expect(error).toMatchObject({ code: "TooManyRequests", retryAfterMs: 60_000 });
    expect(server.requests).toHaveLength(1);
  });

  it("ends a request that gets no answer", async () => {
    const { client } = await serve(() => {});
    const error = await failureOf(client.get(pods, ref, { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: "Timeout", message: "cannot get pods default/a: no answer in time" });
  });

  it("ends a request whose body stops in the middle", async () => {
    const { client } = await serve((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"metadata":');
    });
    expect((await failureOf(client.get(pods, ref, { timeoutMs: 50 }))).code).toBe("Timeout");
  });

  it("stops when the caller's signal aborts", async () => {
    const abort = new AbortController();
    const { client } = await serve(() => abort.abort());
    expect((await failureOf(client.get(pods, ref, { signal: abort.signal }))).code).toBe("Aborted");
  });

  it("keeps to its own rate limit", async () => {
    const { client } = await serve((_, response) => answerJson(response, podJson("a", 1)), {
      rateLimit: { burst: 1, ratePerSecond: 20 },
    });
    const startedMs = performance.now();
    for (let i = 0; i < 3; i++) await client.get(pods, ref);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(95);
  });
});

describe("writing", () => {
  it("applies with force, manager, strict validation and the right type", async () => {
    const { client } = await serve((_, response) => answerJson(response, podJson("a", 1)));
    const intent = { apiVersion: "v1", kind: "Pod", metadata: ref };
    await client.apply(pods, intent);
    await client.applyStatus(pods, intent, { fieldManager: "other", dryRun: true });
    const [apply, status] = server.requests;
    expect(apply?.method).toBe("PATCH");
    expect(apply?.headers["content-type"]).toBe("application/apply-patch+yaml");
    expect(Object.fromEntries(apply?.url.searchParams ?? [])).toEqual({
      force: "true",
      fieldManager: "test",
      fieldValidation: "Strict",
    });
    expect(JSON.parse(apply?.body ?? "")).toEqual(intent);
    expect(status?.url.pathname).toBe("/api/v1/namespaces/default/pods/a/status");
    expect(status?.url.searchParams.get("dryRun")).toBe("All");
    expect(status?.url.searchParams.get("fieldManager")).toBe("other");
  });

  it("sends each patch under its type", async () => {
    const { client } = await serve((_, response) => answerJson(response, podJson("a", 1)));
    for (const type of ["json", "merge", "strategic"] as const) await client.patch(pods, ref, [], { type });
    await client.patchStatus(pods, ref, { status: { x: 1 } });
    expect(server.requests.map((request) => request.headers["content-type"])).toEqual([
      "application/json-patch+json",
      "application/merge-patch+json",
      "application/strategic-merge-patch+json",
      "application/merge-patch+json",
    ]);
    expect(server.requests[3]?.url.pathname).toBe("/api/v1/namespaces/default/pods/a/status");
  });

  it("deletes with preconditions and tells gone from terminating from absent", async () => {
    const dying = podJson("a", 2);
    const answers = [
      { kind: "Status", status: "Success" },
      { ...dying, metadata: { ...dying.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } },
    ];
    const { client } = await serve((_, response) => {
      const answer = answers.shift();
      if (answer === undefined) answerStatus(response, 404, "NotFound");
      else answerJson(response, answer);
    });
    const options = { uid: "u", resourceVersion: "5", propagation: "Foreground" } as const;
    expect((await client.delete(pods, ref, options)).kind).toBe("deleted");
    expect((await client.delete(pods, ref)).kind).toBe("terminating");
    expect((await client.delete(pods, ref)).kind).toBe("absent");
    expect(JSON.parse(server.requests[0]?.body ?? "")).toMatchObject({
      preconditions: { uid: "u", resourceVersion: "5" },
      propagationPolicy: "Foreground",
    });
  });

  it("tells a budget's refusal of an eviction from an overloaded server", async () => {
    let calls = 0;
    const { client } = await serve((_, response) => {
      calls++;
      if (calls === 1) answerJson(response, {}, 429, { "retry-after": "0" });
      else answerStatus(response, 429, "TooManyRequests", { details: { causes: [{ reason: "DisruptionBudget" }] } });
    });
    expect(await client.evict(ref)).toMatchObject({ kind: "blocked" });
    expect(calls).toBe(2);
    expect(server.requests[0]?.url.pathname).toBe("/api/v1/namespaces/default/pods/a/eviction");
  });

  it.each([
    [409, "Conflict", "Conflict"],
    [409, "AlreadyExists", "AlreadyExists"],
    [422, "Invalid", "Invalid"],
    [403, "Forbidden", "Forbidden"],
    [410, "Gone", "Gone"],
    [500, "InternalError", "ServerError"],
    [504, "Timeout", "Timeout"],
    [400, "BadRequest", "BadRequest"],
  ])("turns %i %s into %s", async (status, reason, code) => {
    const { client } = await serve((_, response) => answerStatus(response, status, reason));
    const error = await failureOf(client.replace(pods, { apiVersion: "v1", kind: "Pod", metadata: ref }));
    expect(error).toMatchObject({ code, status, reason });
  });

  it("takes the server's 500 for an unknown field of an apply as Invalid", async () => {
    const message =
      "failed to create typed patch object (default/a; /v1, Kind=Pod): .specc: field not declared in schema";
    const { client } = await serve((_, response) => answerStatus(response, 500, "", { message }));
    const error = await failureOf(client.apply(pods, { apiVersion: "v1", kind: "Pod", metadata: ref }));
    expect(error).toMatchObject({ code: "Invalid", isRetryable: false });
    expect(error.message).toContain(".specc: field not declared in schema");
  });

  it("never repeats what the server says of a Secret", async () => {
    const { client } = await serve((_, response) =>
      answerStatus(response, 422, "Invalid", { message: "bad: hunter2" }),
    );
    const error = await failureOf(client.apply(resources.secrets, { apiVersion: "v1", kind: "Secret", metadata: ref }));
    expect(error.message).toBe("cannot apply secrets default/a: Invalid");
  });

  it("reports each request and counts the writes", async () => {
    const reports: RequestReport[] = [];
    const { client } = await serve(
      (request, response) =>
        request.method === "GET" ? answerJson(response, podJson("a", 1)) : answerStatus(response, 409, "Conflict"),
      { onRequest: (report) => reports.push(report) },
    );
    await client.get(pods, ref);
    await failureOf(client.patchStatus(pods, ref, { status: {} }));
    expect(reports).toMatchObject([
      { verb: "get", resource: "pods", status: 200, isWrite: false },
      { verb: "patch", resource: "pods", subresource: "status", status: 409, isWrite: true },
    ]);
    expect(client.writeCount).toBe(1);
  });

  it("answers a body that is not JSON with BadResponse", async () => {
    const { client } = await serve((_, response) => response.end("<html>proxy</html>"));
    expect((await failureOf(client.get(pods, ref))).code).toBe("BadResponse");
    expect(await client.getRaw("/readyz")).toBe("<html>proxy</html>");
  });
});
