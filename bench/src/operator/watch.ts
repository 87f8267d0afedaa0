// List and watch over plain HTTPS: the objects of one kind as they come, change and go. Not here: what is made of them.
import { Agent, request } from "node:https";
import { pause } from "@wscluster/e2e";

export type Watched = {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
};

export type WatchOptions<T extends Watched> = {
  readonly url: string;
  readonly token: string;
  readonly certificate: string;
  /** Of the collection, with its query: `/api/v1/pods?labelSelector=x`. */
  readonly path: string;
  readonly signal: AbortSignal;
  readonly onObject: (object: T, isGone: boolean) => void;
};

type Line<T> = { readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR"; readonly object: T };

/** Runs until the signal; a watch that ends begins anew with everything that is there. */
export async function watchAll<T extends Watched>(options: WatchOptions<T>): Promise<void> {
  const agent = new Agent({ ca: options.certificate, keepAlive: true });
  try {
    while (!options.signal.aborted) {
      await once(agent, options).catch(() => undefined);
      await pause(100, options.signal).catch(() => undefined);
    }
  } finally {
    agent.destroy();
  }
}

function once<T extends Watched>(agent: Agent, options: WatchOptions<T>): Promise<void> {
  const { url, token, path, signal, onObject } = options;
  const query = `${path.includes("?") ? "&" : "?"}watch=true&resourceVersion=0`;
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
    const outgoing = request(`${url}${path}${query}`, { agent, headers, signal }, (incoming) => {
      if (incoming.statusCode !== 200) {
        incoming.resume();
        reject(new Error(`cannot watch ${path}: ${incoming.statusCode}`));
        return;
      }
      let rest = "";
      incoming.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (line === "") continue;
          const { type, object } = JSON.parse(line) as Line<T>;
          if (type === "ERROR") outgoing.destroy();
          else if (type !== "BOOKMARK") onObject(object, type === "DELETED");
        }
      });
      incoming.on("error", reject);
      incoming.on("end", resolve);
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
