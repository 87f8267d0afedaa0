// The load as a process of its own, driven over IPC: what its owner draws or asks kubectl does not disturb its stamps.
import { sdkConnection } from "./sdk-connection.ts";
import { Fleet } from "./fleet.ts";
import type { LoadCommand, LoadReport } from "./messages.ts";

const STATS_EVERY_MS = 1_000;
const CONNECT_REPORT_MS = 500;

const now = () => performance.now();
let fleet: Fleet | undefined;
let ticker: NodeJS.Timeout | undefined;

function report(message: LoadReport): void {
  if (process.connected) process.send?.(message);
}

async function start(options: Extract<LoadCommand, { kind: "start" }>["options"]): Promise<void> {
  fleet = new Fleet(options, (client, events) => sdkConnection(options.url, client, events, now), now);
  let reportedAt = 0;
  await fleet.open((connected) => {
    if (now() - reportedAt < CONNECT_REPORT_MS && connected < options.clients) return;
    reportedAt = now();
    report({ kind: "connecting", connected, of: options.clients });
  });
  fleet.publish();
  report({ kind: "started" });
  ticker = setInterval(() => {
    if (fleet) report({ kind: "stats", stats: fleet.stats() });
  }, STATS_EVERY_MS);
}

async function obey(command: LoadCommand): Promise<void> {
  if (command.kind === "start") await start(command.options);
  else if (!fleet) throw new Error(`cannot obey ${command.kind}: the load was not started`);
  else if (command.kind === "join-witnesses") report({ kind: "witnesses", count: await fleet.joinWitnesses() });
  else if (command.kind === "fault") fleet.fault(command.on);
  else {
    clearInterval(ticker);
    // A long summary is still being written when `send` returns, and an end of the process would cut it off.
    const summary: LoadReport = { kind: "summary", summary: await fleet.finish() };
    if (!process.connected) return;
    await new Promise<void>((resolve) => process.send?.(summary, undefined, undefined, () => resolve()));
    process.disconnect();
  }
}

process.on("message", (command: LoadCommand) => {
  obey(command).catch((error: unknown) => {
    report({
      kind: "failed",
      message: error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error),
    });
  });
});

// Its owner is gone, or it has said all: an orphan would go on publishing for ever.
process.on("disconnect", () => {
  clearInterval(ticker);
  fleet?.abandon();
  // A moment for the close frames to leave.
  setTimeout(() => process.exit(0), 500);
});

// Ctrl-C reaches the whole process group; the owner decides when the load ends.
process.on("SIGINT", () => undefined);
