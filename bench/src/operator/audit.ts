// Who wrote when, from the API server's audit log. Pure but for reading the file.
import { open } from "node:fs/promises";

export type Write = {
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly receivedMs: number;
  readonly doneMs: number;
  readonly status: number;
};

type Line = {
  readonly verb?: string;
  readonly user?: { readonly username?: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string; readonly namespace?: string };
  readonly requestReceivedTimestamp?: string;
  readonly stageTimestamp?: string;
  readonly responseStatus?: { readonly code?: number };
};

export function parseWrites(text: string): readonly Write[] {
  return text.split("\n").flatMap((line): Write[] => {
    if (!line.startsWith("{") || !line.endsWith("}")) return [];
    const {
      verb = "",
      user,
      objectRef,
      requestReceivedTimestamp,
      stageTimestamp,
      responseStatus,
    } = JSON.parse(line) as Line;
    const { resource = "", subresource, namespace = "" } = objectRef ?? {};
    return [
      {
        user: user?.username ?? "",
        verb,
        resource: subresource === undefined ? resource : `${resource}/${subresource}`,
        namespace,
        receivedMs: microseconds(requestReceivedTimestamp) / 1_000,
        doneMs: microseconds(stageTimestamp) / 1_000,
        status: responseStatus?.code ?? 0,
      },
    ];
  });
}

/** RFC 3339 with microseconds, of which `Date` keeps milliseconds only. */
function microseconds(text = ""): number {
  const fraction = /\.(\d{1,6})/.exec(text)?.[1] ?? "0";
  const seconds = Date.parse(text.replace(/\.\d+/, ""));
  return seconds * 1_000 + Number(fraction.padEnd(6, "0"));
}

/** A reader that goes on where it stopped. */
export function auditReader(file: string): () => Promise<readonly Write[]> {
  let from = 0;
  let torn = "";
  return async () => {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      const buffer = Buffer.alloc(size - from);
      await handle.read(buffer, 0, buffer.length, from);
      from = size;
      const text = torn + buffer.toString("utf8");
      const end = text.lastIndexOf("\n") + 1;
      torn = text.slice(end);
      return parseWrites(text.slice(0, end));
    } finally {
      await handle.close();
    }
  };
}

/** Leases and events are written by the clock and for people: they are counted apart. */
export function isAct({ resource }: Write): boolean {
  return resource !== "leases" && resource !== "events";
}

/** From each event to the controller's first act in the same namespace after it; an event without an answer is Infinity. */
export function reactionsMs(
  writes: readonly Write[],
  controller: string,
  events: readonly { readonly namespace: string; readonly atMs: number }[],
): readonly number[] {
  const acts = writes.filter((write) => write.user === controller && isAct(write));
  return events.map(({ namespace, atMs }) => {
    const first = acts
      .filter((write) => write.namespace === namespace && write.receivedMs >= atMs)
      .reduce((least, write) => Math.min(least, write.receivedMs), Number.POSITIVE_INFINITY);
    return first - atMs;
  });
}
