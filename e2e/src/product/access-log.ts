// What the edge saw: the arrivals in the access log of every edge pod. The pace of moves is judged here, not by what we say of us.
import type { Chat } from "./chat.ts";

export type Arrival = { readonly atMs: number; readonly isNamed: boolean; readonly status: number };

/** Lines of HAProxy that are not arrivals are left out. */
export function parseArrivals(text: string): readonly Arrival[] {
  return text.split("\n").flatMap((line): Arrival[] => {
    if (!line.startsWith("{") || !line.endsWith("}")) return [];
    const { t, named, status } = parseLine(line);
    if (typeof t !== "number" || typeof status !== "number") return [];
    return [{ atMs: t, isNamed: named === "1", status }];
  });
}

function parseLine(line: string): { readonly t?: unknown; readonly named?: unknown; readonly status?: unknown } {
  try {
    return JSON.parse(line) as ReturnType<typeof parseLine>;
  } catch {
    return {};
  }
}

/** Second sockets of moves that the edge pods of now have let in, in the order of their time. */
export async function namedArrivals(chat: Chat): Promise<readonly number[]> {
  const pods = await chat.pods("edge");
  const logs = await Promise.all(
    pods.map((pod) => chat.kubectl(["logs", pod.metadata.name, "--container=haproxy", "--tail=-1"])),
  );
  return logs
    .flatMap(parseArrivals)
    .filter(({ isNamed, status }) => isNamed && status === 101)
    .map(({ atMs }) => atMs)
    .toSorted((a, b) => a - b);
}
