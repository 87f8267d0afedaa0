// Servers and raw clients of one test, and their end. Not here: what they do.

import { RawClient } from "./raw-client.ts";
import { startServer } from "./index.ts";
import type { StartServerOptions, TestServer } from "./index.ts";

export type Stage = {
  server(options?: StartServerOptions): Promise<TestServer>;
  connect(url: string, named?: { readonly pod: string; readonly ticket: string }): Promise<RawClient>;
  /** Ends everything that was started. */
  clear(): Promise<void>;
};

export function createStage(): Stage {
  const servers: TestServer[] = [];
  const clients: RawClient[] = [];
  return {
    async server(options = {}) {
      const started = await startServer(options);
      servers.push(started);
      return started;
    },
    async connect(url, named) {
      const client = await RawClient.connect(url, named);
      clients.push(client);
      return client;
    },
    async clear() {
      for (const client of clients.splice(0)) client.ws.terminate();
      await Promise.all(servers.splice(0).map((server) => server.stop()));
    },
  };
}
