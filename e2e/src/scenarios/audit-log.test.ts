import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isWrite, parseAuditLog, readAuditLog } from "./audit-log.ts";

const line = (verb: string, stage = "ResponseComplete") =>
  JSON.stringify({
    stage,
    verb,
    user: { username: "operator" },
    objectRef: { resource: "websocketclusters", subresource: "status", namespace: "n", name: "chat" },
  });

describe("audit log", () => {
  it("takes finished requests and leaves torn lines and other stages out", () => {
    const text = [`tail of a line"}`, line("patch"), line("patch", "RequestReceived"), line("get"), `{"stage":`].join(
      "\n",
    );
    const entries = parseAuditLog(text);
    expect(entries).toHaveLength(2);
    expect(entries[0]).toEqual({
      user: "operator",
      verb: "patch",
      resource: "websocketclusters/status",
      namespace: "n",
      name: "chat",
    });
    expect(entries.filter(isWrite)).toHaveLength(1);
  });

  it("reads what is new, and all of a rotated log", async () => {
    const folder = await mkdtemp(join(tmpdir(), "audit-"));
    const file = join(folder, "audit.log");
    try {
      await writeFile(file, `${line("patch")}\n${line("create")}\n`);
      expect(await readAuditLog(file, line("patch").length + 1)).toHaveLength(1);
      expect(await readAuditLog(file, 1_000_000)).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
