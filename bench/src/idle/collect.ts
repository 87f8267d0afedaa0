// Brings a process's memory to what it really uses, without a change to the program: through the inspector or Go's profiler.
import { pause } from "@wscluster/e2e";
import type { Running } from "../rivals/running.ts";

/** Collections in a row: what the first one finalizes, only the second one frees. */
const TIMES = 2;
/** Go gives freed pages back in the background. */
const GO_RETURNS_MS = 4_000;

export async function collectGarbage(running: Running, signal: AbortSignal): Promise<void> {
  const { collector } = running.contender;
  if (collector === "inspector") await collectWithInspector(running.sidePort);
  else if (collector === "pprof") {
    for (let time = 0; time < TIMES; time += 1) {
      const answer = await fetch(`http://127.0.0.1:${running.sidePort}/debug/pprof/heap?gc=1`, { signal });
      if (!answer.ok) throw new Error(`cannot collect ${running.contender.name}'s garbage: HTTP ${answer.status}`);
      await answer.arrayBuffer();
    }
    await pause(GO_RETURNS_MS, signal);
  }
}

async function collectWithInspector(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/json/list`);
  const [target] = (await answer.json()) as readonly { readonly webSocketDebuggerUrl: string }[];
  if (!target) throw new Error("cannot collect garbage: the inspector offers no target");
  const inspector = new WebSocket(target.webSocketDebuggerUrl);
  try {
    await new Promise<void>((resolve, reject) => {
      inspector.addEventListener("open", () => resolve(), { once: true });
      inspector.addEventListener("error", () => reject(new Error("cannot collect garbage: no inspector")), {
        once: true,
      });
    });
    for (let time = 0; time < TIMES; time += 1) await collectOnce(inspector, time + 1);
  } finally {
    inspector.close();
  }
}

function collectOnce(inspector: WebSocket, id: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onMessage = (event: MessageEvent): void => {
    if ((JSON.parse(String(event.data)) as { readonly id?: number }).id !== id) return;
    inspector.removeEventListener("message", onMessage);
    resolve();
  };
  inspector.addEventListener("message", onMessage);
  inspector.send(JSON.stringify({ id, method: "HeapProfiler.collectGarbage" }));
  return promise;
}
