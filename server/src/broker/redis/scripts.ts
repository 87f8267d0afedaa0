// The scripts that run inside the store [freeze]. Each touches one slot. Not here: when they are called (broker.ts).
//
// Offsets and times are formatted with %.0f: Lua's own conversion and cjson lose digits above 1e14.

import { MAX_LIVES } from "../port.ts";

export type Script = { readonly name: string; readonly lua: string };

// One life of a stream ends when the store's replication id changes: a promotion, a restart, a first replica. Whether writes were lost
// shows by comparing a position with where the former life ended in *this* store. INFO inside the script, not once per connection: a
// primary that is demoted and promoted again keeps its connections. A history without its meta is of no known life and is dropped.
const LIVE = `
local id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
local function live(meta, stream, fresh, ttl)
  local m = redis.call('HMGET', meta, 'epoch', 'offset', 'replid', 'lives', 'start', 'ts')
  local epoch, offset, lives, start = m[1], m[2], m[4], m[5]
  if not epoch then
    epoch, offset, lives, start = fresh, '0', '[]', '1'
    redis.call('DEL', stream)
    redis.call('HSET', meta, 'v', '1', 'epoch', epoch, 'offset', offset, 'replid', id, 'lives', lives, 'start', start)
  elseif m[3] ~= id then
    local list = {}
    for e, t in string.gmatch(lives, '%["(%x+)",(%d+)%]') do list[#list + 1] = '["' .. e .. '",' .. t .. ']' end
    list[#list + 1] = '["' .. epoch .. '",' .. offset .. ']'
    while #list > ${MAX_LIVES} do table.remove(list, 1) end
    lives = '[' .. table.concat(list, ',') .. ']'
    epoch, start = fresh, string.format('%.0f', tonumber(offset) + 1)
    redis.call('HSET', meta, 'epoch', epoch, 'replid', id, 'lives', lives, 'start', start)
  end
  redis.call('PEXPIRE', meta, ttl)
  return epoch, offset, lives, start, tonumber(m[6] or '0')
end
`;

const TIME = `
local function time(unit)
  local t = redis.call('TIME')
  if unit == 'us' then return tonumber(t[1]) * 1000000 + tonumber(t[2]) end
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
`;

/** Changes that the change index remembers per slot; a pod that slept longer compares everything it holds there. */
export const RECENT_LIMIT = 1_024;

const CHANGE = `
local function changed(seqKey, recentKey, member)
  local n = redis.call('INCR', seqKey)
  redis.call('ZADD', recentKey, n, member)
  if n % 64 == 0 then redis.call('ZREMRANGEBYRANK', recentKey, 0, -${RECENT_LIMIT + 1}) end
end
`;

// Producers that have been silent for two days are forgotten, now and then, so that page loads do not grow the hash for ever.
const PRODUCER_SILENCE_S = 172_800;

/**
 * KEYS meta stream seq recent once; ARGV channel name producer gen seq user data maxLength historyTtl metaTtl freshEpoch onceTtl gaps.
 * With onceTtl the key decides instead of the producer's number.
 */
export const PUBLISH: Script = {
  name: "publish",
  lua: `${LIVE}${TIME}${CHANGE}
local meta, stream = KEYS[1], KEYS[2]
local epoch, offset, lives, start, lastTs = live(meta, stream, ARGV[11], ARGV[10])
local field, gen, seq = 'pr:' .. ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local once = ARGV[12] ~= ''
local known = not once and redis.call('HGET', meta, field)
local last, lastOffset = 0, '0'
if once then
  local first = redis.call('GET', KEYS[5])
  if first then
    local e, o = string.match(first, '^(%S+) (%d+)$')
    return {'dup', e, o}
  end
elseif known then
  local g, s, o = string.match(known, '^(%d+):(%d+):(%d+)')
  if gen < tonumber(g) then return {'fenced'} end
  if gen == tonumber(g) then last, lastOffset = tonumber(s), o end
end
if not once and seq <= last then
  return {'dup', epoch, seq == last and lastOffset or '0'}
end
if not once and seq > last + 1 and ARGV[13] == '' then return {'out-of-order', string.format('%.0f', last)} end
local now = time('us')
local ts = math.max(now, lastTs)
local o = string.format('%.0f', tonumber(offset) + 1)
local stamp = string.format('%.0f', ts)
local prev = '- 0'
if o == start then
  local e, t = string.match(lives, '%["(%x+)",(%d+)%]%]$')
  prev = e and (e .. ' ' .. t) or '= 0'
end
local message = '1 ' .. o .. ' ' .. epoch .. ' ' .. stamp .. ' ' .. prev .. ' ' .. ARGV[6] .. '\\n' .. ARGV[7]
redis.call('XADD', stream, 'MAXLEN', '~', ARGV[8], o .. '-0', 'm', message)
redis.call('PEXPIRE', stream, ARGV[9])
redis.call('HSET', meta, 'offset', o, 'ts', stamp)
if once then redis.call('SET', KEYS[5], epoch .. ' ' .. o, 'PX', ARGV[12])
else redis.call('HSET', meta, field,
  string.format('%.0f', gen) .. ':' .. string.format('%.0f', seq) .. ':' .. o .. ':' .. string.format('%.0f', math.floor(now / 1000000))) end
if not once and not known then
  local size = redis.call('HLEN', meta)
  if size > 512 and size % 256 == 0 then
    local all = redis.call('HGETALL', meta)
    local limit = now / 1000000 - ${PRODUCER_SILENCE_S}
    for i = 1, #all, 2 do
      local seen = string.sub(all[i], 1, 3) == 'pr:' and string.match(all[i + 1], ':(%d+)$')
      if seen and tonumber(seen) < limit then redis.call('HDEL', meta, all[i]) end
    end
  end
end
redis.call('PUBLISH', ARGV[1], message)
changed(KEYS[3], KEYS[4], ARGV[2])
return {'stored', epoch, o}
`,
};

/** KEYS meta stream, meta stream, ...; ARGV freshEpoch metaTtl, then first limit for each stream. All of one slot. */
export const READ: Script = {
  name: "read",
  lua: `${LIVE}
local pages = {}
for i = 1, #KEYS, 2 do
  local epoch, offset, lives = live(KEYS[i], KEYS[i + 1], ARGV[1], ARGV[2])
  local items = redis.call('XRANGE', KEYS[i + 1], ARGV[i + 2] .. '-0', '+', 'COUNT', ARGV[i + 3])
  pages[#pages + 1] = {epoch, offset, lives, items}
end
return pages
`,
};

/** KEYS session; ARGV ttl field value field value ... */
export const CREATE_SESSION: Script = {
  name: "create-session",
  lua: `
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`,
};

/** KEYS session; ARGV g numberToAdd channel ... */
export const CHANGE_CHANNELS: Script = {
  name: "change-channels",
  lua: `
if redis.call('HGET', KEYS[1], 'g') ~= ARGV[1] then return 0 end
local add = tonumber(ARGV[2])
for i = 3, #ARGV do
  if i - 2 <= add then redis.call('HSET', KEYS[1], 'c:' .. ARGV[i], '1')
  else redis.call('HDEL', KEYS[1], 'c:' .. ARGV[i]) end
end
return 1
`,
};

/** KEYS session; ARGV g field value?. */
export const NOTE: Script = {
  name: "note",
  lua: `
if redis.call('HGET', KEYS[1], 'g') ~= ARGV[1] then return 0 end
if ARGV[3] then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) else redis.call('HDEL', KEYS[1], ARGV[2]) end
return 1
`,
};

const HAND_OVER = `
local function handOver(kind, owner, tell, receipt)
  local g = string.format('%.0f', tonumber(ARGV[1]) + 1)
  redis.call('HSET', KEYS[1], 'g', g, 'owner', owner)
  redis.call('HDEL', KEYS[1], 'pg', 'pt', 'pu')
  if receipt ~= '' then
    redis.call('HINCRBY', KEYS[2], receipt, 1)
    changed(KEYS[3], KEYS[4], '!rcpt')
  end
  redis.call('PUBLISH', ARGV[3] .. tell,
    '{"v":1,"kind":"' .. kind .. '","session":"' .. ARGV[2] .. '","g":' .. g .. ',"pod":"' .. owner .. '"}')
  return g
end
`;

/** KEYS session receipts seq recent; ARGV g session controlPrefix owner receipt instance. The new generation, or "". */
export const TAKE_OVER: Script = {
  name: "take-over",
  lua: `${CHANGE}${HAND_OVER}
if redis.call('HGET', KEYS[1], 'g') ~= ARGV[1] then return '' end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'instance', ARGV[6]) end
return handOver('taken', ARGV[4], redis.call('HGET', KEYS[1], 'owner'), ARGV[5])
`,
};

/** KEYS session; ARGV g target ttl. */
export const PREPARE: Script = {
  name: "prepare",
  lua: `${TIME}
if redis.call('HGET', KEYS[1], 'g') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'pg', string.format('%.0f', tonumber(ARGV[1]) + 1), 'pt', ARGV[2],
  'pu', string.format('%.0f', time('ms') + tonumber(ARGV[3])))
return 1
`,
};

/** KEYS session receipts seq recent; ARGV g session controlPrefix target receipt source move. The row, or {}. */
export const COMMIT: Script = {
  name: "commit",
  lua: `${TIME}${CHANGE}${HAND_OVER}
local row = redis.call('HMGET', KEYS[1], 'g', 'pg', 'pt', 'pu', 'mv', 'owner')
local g = string.format('%.0f', tonumber(ARGV[1]) + 1)
if row[1] ~= g or row[5] ~= ARGV[7] or row[6] ~= ARGV[4] then
  if row[1] ~= ARGV[1] or row[2] ~= g or row[3] ~= ARGV[4] or time('ms') > tonumber(row[4]) then return {} end
  redis.call('HSET', KEYS[1], 'mv', ARGV[7])
  handOver('moved', ARGV[4], ARGV[6], ARGV[5])
end
return redis.call('HGETALL', KEYS[1])
`,
};

/** KEYS session; ARGV g. */
export const END_SESSION: Script = {
  name: "end-session",
  lua: `
local row = redis.call('HMGET', KEYS[1], 'g', 'tenant', 'user')
if row[1] ~= ARGV[1] then return '' end
redis.call('DEL', KEYS[1])
return (row[2] or '') .. '/' .. (row[3] or '')
`,
};

/** KEYS receipts seq recent; ARGV field count ... Receipts of finished rollouts end with the hash, thirty days after the last count. */
export const COUNT_RECEIPTS: Script = {
  name: "count-receipts",
  lua: `${CHANGE}
for i = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], 2592000)
changed(KEYS[2], KEYS[3], '!rcpt')
return 1
`,
};

/** KEYS pods; ARGV key lease forgetAfter. The store's time and all leases, each with the time of its last beat as `at`. */
export const BEAT: Script = {
  name: "beat",
  lua: `${TIME}
local now = time('ms')
redis.call('HSET', KEYS[1], ARGV[1], string.sub(ARGV[2], 1, -2) .. ',"at":' .. string.format('%.0f', now) .. '}')
local all = redis.call('HGETALL', KEYS[1])
local kept = {}
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '"at":(%d+)}$') or '0')
  if now - at > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i])
  else kept[#kept + 1] = all[i + 1] end
end
return {string.format('%.0f', now), kept}
`,
};

/** KEYS lease; ARGV holder ttl, "0" gives it up. 1 = it is held by this one. */
export const HOLD: Script = {
  name: "hold",
  lua: `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
};

export const ALL_SCRIPTS: readonly Script[] = [
  HOLD,
  PUBLISH,
  READ,
  CREATE_SESSION,
  CHANGE_CHANNELS,
  NOTE,
  TAKE_OVER,
  PREPARE,
  COMMIT,
  END_SESSION,
  COUNT_RECEIPTS,
  BEAT,
];
