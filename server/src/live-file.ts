// The configuration file that changes while running. Not here: its schema (config.ts). Read by polling: a mounted ConfigMap is
// replaced by swapping a symbolic link, which file watchers miss.

import { readFile } from "node:fs/promises";
import type { Logger } from "@wscluster/platform";
import { DEFAULT_SETTINGS, liveSettingsOf } from "./config.ts";
import { NO_LIMITS } from "./limits/limits.ts";
import type { LimitSettings } from "./limits/limits.ts";
import type { LiveSettings } from "./session/context.ts";
import { jsonOf } from "./session/json-shape.ts";

export type LiveFileReader = {
  readonly settings: () => LiveSettings;
  /** False while the file is not valid, or cannot be read any more, and what was read before stays in force. */
  readonly isCurrent: () => boolean;
  read(): Promise<void>;
  start(): void;
  stop(): void;
};

const READ_MS = 2_000;

/** @param limits in force where the file names none. */
export function createLiveFile(
  path: string | undefined,
  log: Pick<Logger, "warn" | "info">,
  limits: LimitSettings = NO_LIMITS,
): LiveFileReader {
  let settings: LiveSettings = { ...DEFAULT_SETTINGS, limits };
  let isCurrent = true;
  let text = "";
  let isReadable = true;
  let isValid = true;
  let timer: NodeJS.Timeout | undefined;

  async function read(): Promise<void> {
    if (path === undefined) return;
    let found: string;
    try {
      found = await readFile(path, "utf8");
    } catch (error) {
      // Said once, not every two seconds.
      if (text !== "" && isReadable)
        log.warn({ err: error, path }, "cannot read the configuration file: the last one stays in force");
      isReadable = false;
      isCurrent &&= text === "";
      return;
    }
    isReadable = true;
    if (found === text) {
      isCurrent = isValid;
      return;
    }
    text = found;
    const result = liveSettingsOf(jsonOf(found), limits);
    isValid = result.ok;
    isCurrent = isValid;
    if (!result.ok) {
      log.warn({ path, problems: result.problems }, "the configuration file is not valid: the last one stays in force");
      return;
    }
    settings = result.settings;
    log.info({ generation: settings.generation }, "configuration is in force");
  }

  return {
    settings: () => settings,
    isCurrent: () => isCurrent,
    read,
    start() {
      if (path !== undefined) timer = setInterval(() => void read(), READ_MS);
    },
    stop: () => clearInterval(timer),
  };
}
