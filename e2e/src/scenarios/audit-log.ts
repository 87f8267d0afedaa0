// Reads who wrote what from the API server's audit log. Pure but for reading the file's end.
import { open, stat } from "node:fs/promises";

export type AuditEntry = {
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** Pod whose service account token was used. */
  readonly pod?: string;
};

const WRITES: ReadonlySet<string> = new Set(["create", "update", "patch", "delete", "deletecollection"]);

const POD_NAME = "authentication.kubernetes.io/pod-name";

type RawEntry = {
  readonly stage?: string;
  readonly verb?: string;
  readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
};

/** Finished requests in the log's text; torn first and last lines are left out. */
export function parseAuditLog(text: string): readonly AuditEntry[] {
  return text.split("\n").flatMap((line): AuditEntry[] => {
    const raw = parseLine(line);
    if (!raw || raw.stage !== "ResponseComplete") return [];
    const pod = raw.user?.extra?.[POD_NAME]?.[0];
    const { resource = "", subresource, namespace = "", name = "" } = raw.objectRef ?? {};
    return [
      {
        user: raw.user?.username ?? "",
        verb: raw.verb ?? "",
        resource: subresource === undefined ? resource : `${resource}/${subresource}`,
        namespace,
        name,
        ...(pod === undefined ? {} : { pod }),
      },
    ];
  });
}

function parseLine(line: string): RawEntry | undefined {
  if (!line.startsWith("{") || !line.endsWith("}")) return undefined;
  try {
    return JSON.parse(line) as RawEntry;
  } catch {
    return undefined;
  }
}

export function isWrite(entry: AuditEntry): boolean {
  return WRITES.has(entry.verb);
}

export async function auditLogSize(file: string): Promise<number> {
  return (await stat(file)).size;
}

/** What was written to the log since it had `from` bytes. */
export async function readAuditLog(file: string, from: number): Promise<readonly AuditEntry[]> {
  const handle = await open(file);
  try {
    const size = (await handle.stat()).size;
    // A smaller file is a new one: the log was rotated.
    const begin = size < from ? 0 : from;
    const buffer = Buffer.alloc(size - begin);
    await handle.read(buffer, 0, buffer.length, begin);
    return parseAuditLog(buffer.toString("utf8"));
  } finally {
    await handle.close();
  }
}
