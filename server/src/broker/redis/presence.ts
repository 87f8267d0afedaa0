// Presence on Redis: one hash per place, `MEMBER -> "G OWNER VISIBLE"` and the version under `!v`; events as
// `p1 VERSION COUNT MEMBER[ VISIBLE]` on the place's channel. Not here: connections (command-link.ts).

import type { PresenceEntry, PresenceEvent, PresencePage, PresenceSnapshot, PresenceStore } from "../presence-port.ts";
import type { Keys } from "../slots.ts";
import type { Script } from "./scripts.ts";

const VERSION_FIELD = "!v";

const EVENT = `
local function tell(text)
  local v = redis.call('HINCRBY', KEYS[1], '${VERSION_FIELD}', 1)
  redis.call('PUBLISH', ARGV[1], string.format('p1 %.0f %.0f ', v, redis.call('HLEN', KEYS[1]) - 1) .. text)
end
`;

/** KEYS place; ARGV channel member g owner visible ttl. */
const ENTER: Script = {
  name: "presence-enter",
  lua: `${EVENT}
local old = redis.call('HGET', KEYS[1], ARGV[2])
local g, seen
if old then g, seen = string.match(old, '^(%d+) %S+ (.*)$') end
if g and tonumber(g) > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
if seen ~= ARGV[5] then tell(ARGV[2] .. ' ' .. ARGV[5]) end
return 1
`,
};

/** KEYS place; ARGV channel member g. */
const LEAVE: Script = {
  name: "presence-leave",
  lua: `${EVENT}
local old = redis.call('HGET', KEYS[1], ARGV[2])
if not old or tonumber(string.match(old, '^(%d+)')) > tonumber(ARGV[3]) then return 0 end
redis.call('HDEL', KEYS[1], ARGV[2])
tell(ARGV[2])
return 1
`,
};

/** KEYS place; ARGV limit. */
const SNAPSHOT: Script = {
  name: "presence-snapshot",
  lua: `
local v = redis.call('HGET', KEYS[1], '${VERSION_FIELD}')
local n = redis.call('HLEN', KEYS[1]) - (v and 1 or 0)
local all = false
if n <= tonumber(ARGV[1]) then all = redis.call('HGETALL', KEYS[1]) end
return {v or '0', tostring(n), all}
`,
};

export const PRESENCE_SCRIPTS: readonly Script[] = [ENTER, LEAVE, SNAPSHOT];

export type PresenceCommands = {
  script(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  plain(command: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  subscribe(place: string): Promise<void>;
  unsubscribe(place: string): void;
  readonly ttlMs: () => number;
};

export class RedisPresence implements PresenceStore {
  readonly #keys: Keys;
  readonly #commands: PresenceCommands;

  constructor(keys: Keys, commands: PresenceCommands) {
    this.#keys = keys;
    this.#commands = commands;
  }

  async enter(place: string, { member, g, owner, visible }: PresenceEntry): Promise<boolean> {
    const args = [this.#keys.channel(place), member, String(g), owner, visible, String(this.#commands.ttlMs())];
    return Number(await this.#commands.script(ENTER, [this.#keys.presence(place)], args)) === 1;
  }

  async leave(place: string, member: string, g: number): Promise<boolean> {
    const args = [this.#keys.channel(place), member, String(g)];
    return Number(await this.#commands.script(LEAVE, [this.#keys.presence(place)], args)) === 1;
  }

  async snapshot(place: string, limit: number): Promise<PresenceSnapshot> {
    const reply = await this.#commands.script(SNAPSHOT, [this.#keys.presence(place)], [String(limit)]);
    const [version, count, all] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
    return {
      version: Number(String(version)),
      count: Number(String(count)),
      ...(Array.isArray(all) ? { entries: entriesOf(all) } : {}),
    };
  }

  async page(place: string, cursor: string, n: number): Promise<PresencePage> {
    const key = this.#keys.presence(place);
    const [reply, size] = await Promise.all([
      this.#commands.plain("hscan", [key], [cursor, "COUNT", String(n)]),
      this.#commands.plain("hlen", [key], []),
    ]);
    const [next, flat] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
    const count = Math.max(0, Number(String(size)) - 1);
    const entries = entriesOf(Array.isArray(flat) ? flat : []);
    return { count, entries, ...(String(next) === "0" ? {} : { next: String(next) }) };
  }

  follow(place: string): Promise<void> {
    return this.#commands.subscribe(place);
  }

  unfollow(place: string): void {
    this.#commands.unsubscribe(place);
  }
}

function entriesOf(flat: readonly unknown[]): readonly PresenceEntry[] {
  const entries: PresenceEntry[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [, g, owner, visible] = /^(\d+) (\S+) (.*)$/s.exec(String(flat[at + 1])) ?? [];
    if (g === undefined || owner === undefined || visible === undefined) continue;
    entries.push({ member: String(flat[at]), g: Number(g), owner, visible });
  }
  return entries;
}

export function presenceEventOf(place: string, message: Buffer): PresenceEvent | undefined {
  if (message.toString("latin1", 0, 3) !== "p1 ") return undefined;
  const [, version, count, member = "", visible] = /^p1 (\d+) (\d+) (\S+)(?: (.*))?$/s.exec(message.toString()) ?? [];
  if (version === undefined) return undefined;
  return {
    place,
    version: Number(version),
    count: Number(count),
    member,
    ...(visible === undefined ? {} : { visible }),
  };
}
