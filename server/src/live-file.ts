// The configuration file that changes while running. Not here: its schema (config.ts). Read by polling: a mounted ConfigMap is
// replaced by swapping a symbolic link, which file watchers miss.

import { readFile } from "node:fs/promises";
import type { Logger } from "@wscluster/platform";
import { DEFAULT_SETTINGS, liveSettingsOf } from "./config.ts";
import type { LiveSettings } from "./session/context.ts";

export type LiveFileReader = {
  readonly settings: () => LiveSettings;
  read(): Promise<void>;
  start(): void;
  stop(): void;
};

const READ_MS = 2_000;

export function createLiveFile(path: string | undefined, log: Pick<Logger, "warn" | "info">): LiveFileReader {
  let settings = DEFAULT_SETTINGS;
  let text = "";
  let timer: NodeJS.Timeout | undefined;

  async function read(): Promise<void> {
    if (path === undefined) return;
    let found: string;
    try {
      found = await readFile(path, "utf8");
    } catch (error) {
      if (text !== "")
        log.warn({ err: error, path }, "cannot read the configuration file: the last one stays in force");
      return;
    }
    if (found === text) return;
    text = found;
    const result = liveSettingsOf(parseJson(found));
    if (!result.ok) {
      log.warn({ path, problems: result.problems }, "the configuration file is not valid: the last one stays in force");
      return;
    }
    settings = result.settings;
    log.info({ generation: settings.generation }, "configuration is in force");
  }

  return {
    settings: () => settings,
    read,
    start() {
      if (path !== undefined) timer = setInterval(() => void read(), READ_MS);
    },
    stop: () => clearInterval(timer),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
