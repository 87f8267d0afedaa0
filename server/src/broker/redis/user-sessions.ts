// Which sessions a user has, on whatever pod. Written when a session begins and when it ends, never by a move: who holds it is in the
// session's own row, and whether that pod lives is in its lease. So the sessions of a dead pod are gone without anybody's doing.

import type { Keys } from "../slots.ts";
import { texts } from "./replies.ts";

export type UserSessionsParts = {
  readonly plain: (command: string, keys: readonly string[], args: readonly string[]) => Promise<unknown>;
  readonly maxAgeMs: () => number;
  readonly now: () => number;
};

/** More are not told; the oldest are left out. */
const MOST_SESSIONS = 1_000;

export class UserSessions {
  readonly #keys: Keys;
  readonly #parts: UserSessionsParts;

  constructor(keys: Keys, parts: UserSessionsParts) {
    this.#keys = keys;
    this.#parts = parts;
  }

  async add(user: string, id: string): Promise<void> {
    const { plain, maxAgeMs, now } = this.#parts;
    const key = [this.#keys.userSessions(user)];
    const score = String(now());
    // In one flight. A session that is not listed is only not found here; it works all the same.
    await Promise.all([
      plain("zadd", key, [score, id]),
      plain("zremrangebyrank", key, ["0", String(-MOST_SESSIONS - 1)]),
      plain("pexpire", key, [String(maxAgeMs())]),
    ]);
  }

  async remove(user: string, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#parts.plain("zrem", [this.#keys.userSessions(user)], ids);
  }

  /** Newest first. */
  async of(user: string): Promise<readonly string[]> {
    return texts(await this.#parts.plain("zrevrange", [this.#keys.userSessions(user)], ["0", "-1"]));
  }
}
