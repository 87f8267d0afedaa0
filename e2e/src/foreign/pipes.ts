// WebSocket libraries of other languages as pipes: a program each, that sends lines and tells frames. Not here: what is sent.

import { join } from "node:path";
import { JournalProcess } from "./journal-process.ts";
import { REPOSITORY, goProgram, java, pythonWith } from "./toolchains.ts";
import type { Tool } from "./toolchains.ts";

const FOLDER = join(REPOSITORY, "e2e/src/foreign");

export type ForeignLibrary = {
  readonly name: string;
  readonly tool: Tool;
  /** Arguments before the URL and the subprotocols. */
  readonly args: readonly string[];
};

export async function foreignLibraries(): Promise<readonly ForeignLibrary[]> {
  const [python, go, javaTool] = await Promise.all([
    pythonWith(join(REPOSITORY, "examples/python/requirements.txt")),
    goProgram(join(FOLDER, "go")),
    java(),
  ]);
  return [
    { name: "Python websockets", tool: python, args: ["-u", join(FOLDER, "python/pipe.py")] },
    { name: "Go coder/websocket", tool: go, args: [] },
    { name: "Java java.net.http", tool: javaTool, args: ["-XX:TieredStopAtLevel=1", join(FOLDER, "java/Pipe.java")] },
  ];
}

export function openPipe({ tool, args }: ForeignLibrary, url: string, ...subprotocols: string[]): JournalProcess {
  const command = tool.found ? tool.path : "";
  return new JournalProcess({ command, args: [...args, url, ...subprotocols], cwd: FOLDER });
}
