// A program that tells what it does in JSON lines, one object with `event` per line. Not here: which programs.

import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";

export type JournalEntry = { readonly event: string; readonly [key: string]: unknown };

export class JournalError extends Error {
  readonly code = "journal";
}

export type Program = {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
};

export class JournalProcess {
  readonly entries: JournalEntry[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number | null>;
  #rest = "";
  #errors = "";

  constructor({ command, args, cwd, env }: Program) {
    this.#child = spawn(command, args, { cwd, env: { ...process.env, ...env } });
    this.#child.stdin.on("error", () => {});
    this.#child.stdout.on("data", (chunk: Buffer) => this.#take(chunk.toString()));
    this.#child.stderr.on("data", (chunk: Buffer) => (this.#errors += chunk.toString()));
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", (error) => {
        this.#errors += error.message;
        resolve(null);
      });
      this.#child.on("close", resolve);
    });
  }

  of(event: string): readonly JournalEntry[] {
    return this.entries.filter((entry) => entry.event === event);
  }

  /** Waits for the `count`-th entry of this kind. */
  async find(event: string, count = 1, timeoutMs = 20_000): Promise<JournalEntry> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const entry = this.of(event)[count - 1];
      if (entry) return entry;
      if (performance.now() > endMs || this.#child.exitCode !== null) {
        const last = JSON.stringify(this.entries.slice(-5));
        throw new JournalError(
          `no ${event} number ${count} came; last: ${last}; on stderr: ${this.#errors.slice(-2_000)}`,
        );
      }
      await new Promise((wake) => setTimeout(wake, 10));
    }
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Ends the program's input and waits for its end. */
  async finish(): Promise<{ readonly exitCode: number | null; readonly errors: string }> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 15_000);
    const exitCode = await this.#ended;
    clearTimeout(timer);
    return { exitCode, errors: this.#errors };
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("{")) this.entries.push(JSON.parse(line) as JournalEntry);
  }
}
