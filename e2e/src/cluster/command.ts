// Runs other programs and reports their failure in their own words. Long-lived processes are in processes.ts.
import { spawn } from "node:child_process";
import { ClusterError, type ClusterErrorCode } from "./errors.ts";

const TAIL_LINES = 20;

export type CommandOptions = {
  readonly input?: string;
  readonly cwd?: string;
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ends the program (SIGTERM) when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** The code of the error for an exit other than 0; default `COMMAND_FAILED`. */
  readonly code?: ClusterErrorCode;
  /** Each line of standard error while the program runs, for progress. */
  readonly onLine?: (line: string) => void;
};

export type CommandResult = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** Runs a program to its end and returns its output whatever its exit status. Throws only if it cannot be started. */
export function tryRun(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = "", ...args] = argv;
  return new Promise((resolvePromise, reject) => {
    const child = spawn(program, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
      if (options.onLine) for (const line of chunk.split("\n")) if (line.trim() !== "") options.onLine(line.trim());
    });
    // A program that ends without reading its input closes the pipe; its exit status says what happened.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (options.signal?.aborted) reject(new ClusterError("INTERRUPTED", `stopped while running ${program}`));
      else if (error.code === "ENOENT")
        reject(new ClusterError("TOOL_MISSING", `cannot run ${program}: it is not on the PATH`, { cause: error }));
      else reject(new ClusterError("COMMAND_FAILED", `cannot run ${program}: ${error.message}`, { cause: error }));
    });
    child.on("close", (status, signal) => {
      if (options.signal?.aborted) reject(new ClusterError("INTERRUPTED", `stopped while running ${program}`));
      else resolvePromise({ status: status ?? (signal ? 128 : 1), stdout, stderr });
    });
  });
}

/** Runs a program that has to succeed and returns its standard output. */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryRun(argv, options);
  if (result.status === 0) return result.stdout;
  const words = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(-TAIL_LINES).join("\n");
  throw new ClusterError(
    options.code ?? "COMMAND_FAILED",
    `cannot run \`${argv.slice(0, 6).join(" ")}\`: it ended with exit code ${result.status}\n${words}\n`,
  );
}

/** Whether a program can be found on the PATH. */
export async function isOnPath(program: string): Promise<boolean> {
  const result = await tryRun(["sh", "-c", 'command -v "$1"', "sh", program]);
  return result.status === 0;
}

/** Waits until `probe` answers something other than undefined, asking every `intervalMs`; undefined after `timeoutMs`. */
export async function poll<T>(
  probe: () => Promise<T | undefined>,
  timeoutMs: number,
  intervalMs = 100,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (signal?.aborted) throw new ClusterError("INTERRUPTED", "stopped while waiting");
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) return undefined;
    await new Promise((wake) => setTimeout(wake, intervalMs));
  }
}
