// How far readers of a stream have come, on Redis: one hash per stream, `NAME -> "EPOCH OFFSET"`. Not here: who they are.

import type { Position } from "@wscluster/protocol";
import type { CursorStore } from "../port.ts";
import type { Keys } from "../slots.ts";
import type { Script } from "./scripts.ts";

/** KEYS cursors; ARGV name epoch offset ttl. */
const ADVANCE: Script = {
  name: "advance-cursor",
  lua: `
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then
  local e, o = string.match(known, '^(%S+) (%d+)$')
  if e == ARGV[2] and tonumber(o) >= tonumber(ARGV[3]) then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
`,
};

export const CURSOR_SCRIPTS: readonly Script[] = [ADVANCE];

export type CursorCommands = {
  script(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  plain(command: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  readonly ttlMs: () => number;
};

export class RedisCursors implements CursorStore {
  readonly #keys: Keys;
  readonly #commands: CursorCommands;

  constructor(keys: Keys, commands: CursorCommands) {
    this.#keys = keys;
    this.#commands = commands;
  }

  async get(stream: string, name: string): Promise<Position | undefined> {
    const value = await this.#commands.plain("hget", [this.#keys.cursors(stream)], [name]);
    const [epoch, offset] = Buffer.isBuffer(value) ? value.toString().split(" ") : [];
    return epoch === undefined || offset === undefined ? undefined : { epoch, offset: Number(offset) };
  }

  async advance(stream: string, name: string, { epoch, offset }: Position): Promise<void> {
    const args = [name, epoch, String(offset), String(this.#commands.ttlMs())];
    await this.#commands.script(ADVANCE, [this.#keys.cursors(stream)], args);
  }
}
