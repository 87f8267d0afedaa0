// A program beside the bench that is listened to, so that its last words are at hand when it fails. Not here: pinning to a core, waiting
// until a server listens (running.ts).
import { spawn } from "node:child_process";

const WORDS = 50;

export type ListenedProcess = {
  readonly pid: number;
  /** What it said last. */
  readonly words: () => string;
  /** Ends it in its own time. */
  stop(): Promise<void>;
};

export function startListened(program: string, args: readonly string[]): ListenedProcess {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const words: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      words.push(text);
      if (words.length > WORDS) words.shift();
    });
  }
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    pid: child.pid ?? 0,
    words: () => words.join("").slice(-1_000),
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
