// The last answer on the pod's emptyDir, so that an agent that starts anew serves before, or without, the API server.
import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { EdgeMemory, WantedEdge } from "./wanted.ts";
import type { WantedServer } from "./reconcile.ts";
import type { ProxyShare } from "./share.ts";

export type EdgeSnapshot = {
  readonly servers: readonly WantedServer[];
  readonly share: ProxyShare | undefined;
  readonly memory: EdgeMemory;
  /** Wall clock, ms since 1970. */
  readonly savedAtMs: number;
};

/** Where snapshots are kept. */
export interface SnapshotStore {
  /** Undefined when there is none that can be used. */
  load(): Promise<EdgeSnapshot | undefined>;
  save(snapshot: EdgeSnapshot): Promise<void>;
}

const port = z.int().min(1).max(65_535);
const percent = z.int().min(1).max(99);
// What becomes part of a command line to the proxy is looked at closely.
const key = z.string().regex(/^[0-9a-f]{16}$/);
const schema = z.object({
  version: z.literal(1),
  savedAtMs: z.number(),
  memory: z.object({
    generation: z.int().min(0),
    takesNew: z.array(z.string()),
    share: z.object({ revision: z.string(), percent }).exactOptional(),
    readyKeys: z.array(z.string()),
  }),
  share: z.object({ percent, keys: z.array(key) }).optional(),
  servers: z.array(
    z.object({
      key,
      address: z.union([z.ipv4(), z.ipv6()]),
      port,
      checkPort: port,
      state: z.enum(["ready", "drain"]),
    }),
  ),
});

export function snapshotText({ memory, servers, share }: WantedEdge, savedAtMs: number): string {
  return JSON.stringify({ version: 1, savedAtMs, memory, servers, share });
}

export function parseSnapshot(text: string): EdgeSnapshot | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? { ...parsed.data, share: parsed.data.share } : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps it in one file, replaced as a whole: a crash leaves the old or the new one. */
export function fileSnapshots(path: string): SnapshotStore {
  return {
    async load() {
      const text = await readFile(path, "utf8").catch(() => undefined);
      return text === undefined ? undefined : parseSnapshot(text);
    },
    async save({ servers, share, memory, savedAtMs }) {
      const fresh = `${path}.new`;
      await writeFile(fresh, snapshotText({ servers, share, memory }, savedAtMs), { mode: 0o600 });
      await rename(fresh, path);
    },
  };
}
