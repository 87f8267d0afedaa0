import { readFileSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { API_VERSION, KIND, PLURAL, REBALANCE_KIND, REBALANCE_PLURAL } from "../names.ts";
import { type ApiServer, missingForApiServer, startApiServer } from "../testing/index.ts";
import { ADMISSION_ROWS, type AdmissionRow, MINIMAL } from "./admission-rows.ts";
import { clusterKind, crdFor, rebalanceKind } from "./custom-resource.ts";
import type { ApiSchema } from "./structural-schema.ts";

const COLLECTION = `/apis/${API_VERSION}/namespaces/default/${PLURAL}`;
const REBALANCES = `/apis/${API_VERSION}/namespaces/default/${REBALANCE_PLURAL}`;
const DEADLINE_MS = 20_000;
const missing = missingForApiServer();

function messagesOf(schema: ApiSchema): readonly string[] {
  const below = [...Object.values(schema.properties ?? {}), schema.items ?? {}, schema.additionalProperties ?? {}];
  const own = (schema["x-kubernetes-validations"] ?? []).map((rule) => rule.message);
  return [...own, ...below.filter((child) => Object.keys(child).length > 0).flatMap(messagesOf)];
}

describe("the admission table", () => {
  it("has a row that breaks each CEL rule", () => {
    const expected = ADMISSION_ROWS.flatMap((row) => row.refused ?? []);
    const untested = messagesOf(clusterKind().schema).filter(
      (message) => !expected.some((part) => message.includes(part)),
    );
    expect(untested).toEqual([]);
  });
});

describe.skipIf(missing !== undefined)(
  `a real API server${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    let server: ApiServer;

    beforeAll(async () => {
      server = await startApiServer();
      for (const kind of [clusterKind(), rebalanceKind()]) {
        const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        expect(await server.send("POST", path, crdFor(kind))).toMatchObject({ status: 201 });
      }
      for (const collection of [COLLECTION, REBALANCES]) {
        const isServed = async () => (await server.send("GET", collection)).status === 200;
        await vi.waitUntil(isServed, { timeout: DEADLINE_MS });
      }
    }, 90_000);

    afterAll(async () => server[Symbol.asyncDispose]());

    const create = (name: string, spec: unknown, query = "") =>
      server.send("POST", `${COLLECTION}?fieldValidation=Strict${query}`, {
        apiVersion: API_VERSION,
        kind: KIND,
        metadata: { name },
        spec,
      });

    const nameOf = (row: AdmissionRow) => row.name ?? "chat";

    it.each(ADMISSION_ROWS.filter((row) => row.refused === undefined))("takes $what", async (row) => {
      const answer = await create(nameOf(row), row.spec, "&dryRun=All");
      expect(answer).toMatchObject({ status: 201 });
    });

    it.each(ADMISSION_ROWS.filter((row) => row.refused !== undefined))("refuses $what", async (row) => {
      const answer = await create(nameOf(row), row.spec, "&dryRun=All");
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(answer.body).toMatchObject({ message: expect.stringContaining(row.refused ?? "") });
    });

    it("takes every example", async () => {
      const folder = new URL("../../../examples/", import.meta.url);
      const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) {
        const example: unknown = parse(readFileSync(new URL(file, folder), "utf8"));
        const answer = await server.send("POST", `${COLLECTION}?fieldValidation=Strict&dryRun=All`, example);
        expect(answer, file).toMatchObject({ status: 201 });
      }
    });

    it("reports the schema as structural and the names as accepted", async () => {
      const { body } = await server.send(
        "GET",
        `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crdFor(clusterKind()).metadata.name}`,
      );
      const conditions = (body as { status: { conditions: { type: string; status: string }[] } }).status.conditions;
      expect(Object.fromEntries(conditions.map(({ type, status }) => [type, status]))).toEqual({
        NamesAccepted: "True",
        Established: "True",
      });
    });

    it("fills in the default, serves scale with selector, keeps status apart, and shows the columns", async () => {
      expect(await create("story", MINIMAL)).toMatchObject({ status: 201, body: { spec: { replicas: 2 } } });
      const object = `${COLLECTION}/story`;
      const status = {
        replicas: 3,
        selector: "wscluster.io/cluster=story",
        ready: "3/3",
        connections: 500,
        moving: "320/500",
      };
      const merge = { contentType: "application/merge-patch+json" };
      // Status sent to the object itself is dropped; sent to its own path it stays.
      expect(await server.send("PATCH", object, { status }, merge)).not.toHaveProperty("body.status");
      expect(await server.send("PATCH", `${object}/status`, { status }, merge)).toMatchObject({ status: 200 });
      expect(await server.send("PATCH", `${object}/scale`, { spec: { replicas: 4 } }, merge)).toMatchObject({
        status: 200,
        body: { spec: { replicas: 4 }, status: { replicas: 3, selector: "wscluster.io/cluster=story" } },
      });
      const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
      const table = await server.send("GET", object, undefined, { accept });
      const { columnDefinitions, rows } = table.body as {
        columnDefinitions: { name: string }[];
        rows: { cells: unknown[] }[];
      };
      expect(columnDefinitions.map((column) => column.name)).toEqual([
        "Name",
        "Ready",
        "Active",
        "Candidate",
        "Replicas",
        "Connections",
        "Moving",
        "Age",
      ]);
      expect(rows[0]?.cells.slice(0, 7)).toEqual(["story", "3/3", null, null, 3, 500, "320/500"]);
    });

    it("takes a rebalance, lets it be approved, refuses another cluster, and shows the columns", async () => {
      const merge = { contentType: "application/merge-patch+json" };
      const object = `${REBALANCES}/chat-1`;
      const made = await server.send("POST", `${REBALANCES}?fieldValidation=Strict`, {
        apiVersion: API_VERSION,
        kind: REBALANCE_KIND,
        metadata: { name: "chat-1" },
        spec: { clusterName: "chat", expiresAfterSeconds: 600 },
      });
      expect(made).toMatchObject({ status: 201 });
      expect(await server.send("PATCH", object, { spec: { approved: true } }, merge)).toMatchObject({ status: 200 });
      const moved = await server.send("PATCH", object, { spec: { clusterName: "other" } }, merge);
      expect(moved).toMatchObject({ status: 422, body: { message: expect.stringContaining("must not be changed") } });
      const tooShort = await server.send("PATCH", object, { spec: { expiresAfterSeconds: 59 } }, merge);
      expect(tooShort).toMatchObject({ status: 422 });
      const status = { phase: "Proposed", before: { imbalancePercent: 41 }, reconnects: 312 };
      expect(await server.send("PATCH", `${object}/status`, { status }, merge)).toMatchObject({ status: 200 });
      const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
      const table = await server.send("GET", object, undefined, { accept });
      const { rows } = table.body as { rows: { cells: unknown[] }[] };
      expect(rows[0]?.cells.slice(0, 8)).toEqual(["chat-1", "chat", "Proposed", 41, null, null, 312, null]);
    });

    it("tells `kubectl explain` what a field means", async () => {
      const path = `/openapi/v3/apis/${API_VERSION}`;
      const published = async () => JSON.stringify((await server.send("GET", path)).body);
      await expect
        .poll(published, { timeout: DEADLINE_MS })
        .toContain("Most connections moved per second, over the whole fleet. Defaults to 200.");
    });
  },
);
