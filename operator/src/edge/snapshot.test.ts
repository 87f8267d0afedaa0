import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileSnapshots, parseSnapshot, snapshotText, type EdgeSnapshot } from "./snapshot.ts";

const snapshot: EdgeSnapshot = {
  servers: [{ key: "0123456789abcdef", address: "10.0.0.1", port: 80, checkPort: 81, state: "drain" }],
  share: { percent: 10, keys: ["fedcba9876543210"] },
  memory: { generation: 4, takesNew: ["blue"], readyKeys: ["0123456789abcdef"] },
  savedAtMs: 12,
};

describe("fileSnapshots", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wsc-snapshot-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("gives back what was kept last and leaves no other file", async () => {
    const store = fileSnapshots(join(folder, "s.json"));
    expect(await store.load()).toBeUndefined();
    await store.save({ ...snapshot, savedAtMs: 1 });
    await store.save(snapshot);
    expect(await fileSnapshots(join(folder, "s.json")).load()).toMatchObject(snapshot);
    expect(await readdir(folder)).toEqual(["s.json"]);
  });

  it("takes a broken file for none", async () => {
    await writeFile(join(folder, "s.json"), "{");
    expect(await fileSnapshots(join(folder, "s.json")).load()).toBeUndefined();
  });
});

describe("parseSnapshot", () => {
  const [server] = snapshot.servers;
  const textWith = (change: object): string =>
    snapshotText({ ...snapshot, servers: [{ ...server, ...change } as EdgeSnapshot["servers"][number]] }, 1);

  it("accepts IPv6", () => {
    expect(parseSnapshot(textWith({ address: "fd00::1" }))?.servers[0]?.address).toBe("fd00::1");
  });

  it.each([{ address: "10.0.0.1; shutdown sessions" }, { key: "a b" }, { port: 0 }, { state: "maint" }])(
    "refuses what must not reach the proxy's command line: %j",
    (change) => {
      expect(parseSnapshot(textWith(change))).toBeUndefined();
    },
  );
});
