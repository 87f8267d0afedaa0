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
  return (await letIn(chat, () => true))
    .filter(({ isNamed }) => isNamed)
    .map(({ atMs }) => atMs)
    .toSorted((a, b) => a - b);
}

/** How many clients these edge pods have let in that did not ask for a server pod by its name. */
export async function unnamedArrivals(chat: Chat, pods: ReadonlySet<string>): Promise<number> {
  return (await letIn(chat, (name) => pods.has(name))).filter(({ isNamed }) => !isNamed).length;
}

async function letIn(chat: Chat, isMeant: (pod: string) => boolean): Promise<readonly Arrival[]> {
  const names = (await chat.pods("edge")).map((pod) => pod.metadata.name).filter(isMeant);
  const logs = await Promise.all(names.map((name) => chat.kubectl(["logs", name, "--container=haproxy", "--tail=-1"])));
  return logs.flatMap(parseArrivals).filter(({ status }) => status === 101);
}
