// What clients ask of a Redis, command by command. Not what its scripts do inside: those are no round trips.
import { connect, type Socket } from "node:net";

/** The command's name in a line of MONITOR: `+1700000000.1 [0 127.0.0.1:5000] "evalsha" "..."`; undefined for what a script did. */
export function commandIn(line: string): string | undefined {
  const match = /^\+\d+\.\d+ \[\d+ (\S+)\] "([^"]+)"/.exec(line);
  if (!match || match[1] === "lua") return undefined;
  return match[2]?.toLowerCase();
}

/** Counts from now on until `stop`. Costs the Redis about a half of its speed. */
export async function countCommands(port: number): Promise<{ stop(): ReadonlyMap<string, number> }> {
  const counts = new Map<string, number>();
  const socket: Socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  let rest = "";
  const started = new Promise<void>((resolve) => {
    socket.setEncoding("latin1").on("data", (text: string) => {
      const lines = (rest + text).split("\r\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "+OK") resolve();
        const name = commandIn(line);
        if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    });
  });
  socket.write("MONITOR\r\n");
  await started;
  return {
    stop() {
      socket.destroy();
      return counts;
    },
  };
}
