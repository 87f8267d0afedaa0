// Client frames of what is built beside channels: presence, inbox, state. Pure. Not here: the others (decode.ts).

import type { ClientFrame } from "@wscluster/protocol";
import { isCount, isName } from "./json-shape.ts";
import type { Json } from "./json-shape.ts";

/** The frame, or what is wrong with it; "" for an unknown type. */
export function serviceFrameOf(value: Json): ClientFrame | string {
  const { t, i, c } = value;
  switch (t) {
    case "presence.enter":
      return isCount(i) && isName(c) && "d" in value ? { t, i, c, d: value["d"] } : `${t} needs i, c and d`;
    case "presence.leave":
    case "presence.watch":
    case "presence.unwatch":
      return isCount(i) && isName(c) ? { t, i, c } : `${t} needs i and c`;
    case "presence.get": {
      const { after, n } = value;
      if (!isCount(i) || !isName(c) || !isCount(n)) return `${t} needs i, c and n`;
      return { t, i, c, n, ...(isName(after) && /^\d{1,20}$/.test(after) ? { after } : {}) };
    }
    case "inbox.open":
      return isCount(i) ? { t, i } : `${t} needs i`;
    case "inbox.ack": {
      const { e, o, read } = value;
      if (!isCount(i) || !isName(e) || !isCount(o) || !/^\S{1,64}$/.test(e)) return `${t} needs i, e and o`;
      return { t, i, e, o, ...(read === true ? { read } : {}) };
    }
    case "rpc": {
      const { m, k, again, timeoutMs } = value;
      if (!isCount(i) || !isName(m) || !isName(k) || !("d" in value)) return `${t} needs i, m, k and d`;
      if (k.length === 0 || k.length > 128 || m.length > 200) return "m has at most 200 characters, k 1 to 128";
      return {
        t,
        i,
        m,
        k,
        d: value["d"],
        ...(again === true ? { again } : {}),
        ...(isCount(timeoutMs) ? { timeoutMs } : {}),
      };
    }
    case "refresh":
      return isCount(i) && isName(value["token"]) ? { t, i, token: value["token"] } : `${t} needs i and token`;
    case "state.set":
      return isCount(i) && "d" in value ? { t, i, d: value["d"] } : `${t} needs i and d`;
    case "state.get":
      return isCount(i) ? { t, i } : `${t} needs i`;
    default:
      return "";
  }
}
