// Is what we want already there? Compares an intent with a live object the way server-side apply would see it: only the
// fields of the intent count; what the server or others added does not. Pure. A field REMOVED from an intent cannot be
// seen here: apply.ts has the hash for that.
import { isSameQuantity } from "./quantity.ts";

/** One place where the live object is not as wanted. `live` is undefined when there is nothing. */
export type Difference = { path: string; wanted: unknown; live: unknown };

type Item = Readonly<Record<string, unknown>>;

/**
 * Lists that server-side apply merges by key; all others are atomic (whole list, in order).
 * From the `x-kubernetes-list-map-keys` and patch tags of the kinds that we write.
 */
const mergeKeys: Readonly<Record<string, (item: Item) => string>> = {
  containers: byFields("name"),
  initContainers: byFields("name"),
  ephemeralContainers: byFields("name"),
  volumes: byFields("name"),
  imagePullSecrets: byFields("name"),
  env: byFields("name"),
  volumeMounts: byFields("mountPath"),
  volumeDevices: byFields("devicePath"),
  hostAliases: byFields("ip"),
  topologySpreadConstraints: byFields("topologyKey", "whenUnsatisfiable"),
  ownerReferences: byFields("uid"),
  conditions: byFields("type"),
  // TCP and UDP may share a number (kubernetes#105610): the protocol belongs to the key.
  ports: (item) => `${textOf(item["containerPort"] ?? item["port"])}/${textOf(item["protocol"] ?? "TCP")}`,
};

/** Lists that are sets: every wanted value must be there, in any order. */
const setFields: ReadonlySet<string> = new Set(["finalizers"]);

/** Maps whose values are quantities. */
const quantityMaps: ReadonlySet<string> = new Set([
  "limits",
  "requests",
  "capacity",
  "allocatable",
  "hard",
  "overhead",
]);
/** Single fields that are quantities. */
const quantityFields: ReadonlySet<string> = new Set(["sizeLimit", "divisor", "averageValue"]);

/** Fields without a pointer in Go: the server drops their zero value, so "false" or 0 and "absent" are the same. */
const zeroIsAbsent: ReadonlySet<string> = new Set([
  "hostNetwork",
  "hostPID",
  "hostIPC",
  "stdin",
  "stdinOnce",
  "tty",
  "readOnly",
  "publishNotReadyAddresses",
  "minReadySeconds",
  "initialDelaySeconds",
  "paused",
]);

/** True when applying `intent` would change nothing in `live`. */
export function isContained(intent: unknown, live: unknown): boolean {
  return differencesOf(intent, live).length === 0;
}

/** Where `live` is not as `intent` wants it, in the order of the intent. */
export function differencesOf(intent: unknown, live: unknown): Difference[] {
  const found: Difference[] = [];
  compare(intent, live, "", "", "", found);
  return found;
}

function compare(
  wanted: unknown,
  live: unknown,
  path: string,
  field: string,
  parentField: string,
  found: Difference[],
): void {
  if (isEmpty(wanted, field) && (live === undefined || live === null || isEmpty(live, field))) return;
  // Null asks for absence, undefined for nothing.
  if (wanted === null || wanted === undefined) {
    if (wanted === null) found.push({ path, wanted, live });
    return;
  }
  if (Array.isArray(wanted)) {
    compareLists(wanted, live, path, field, found);
  } else if (typeof wanted === "object") {
    if (!isRecord(live)) {
      found.push({ path, wanted, live });
      return;
    }
    for (const [name, value] of Object.entries(wanted)) {
      compare(value, live[name], path === "" ? name : `${path}.${name}`, name, field, found);
    }
  } else if (!isSameScalar(wanted, live, field, parentField)) {
    found.push({ path, wanted, live });
  }
}

function compareLists(
  wanted: readonly unknown[],
  live: unknown,
  path: string,
  field: string,
  found: Difference[],
): void {
  if (!Array.isArray(live)) {
    found.push({ path, wanted, live });
    return;
  }
  const keyOfItem = mergeKeys[field];
  if (keyOfItem !== undefined && wanted.every(isRecord) && live.every(isRecord)) {
    // Two wanted items under one key (the server would refuse most of them) can only be compared as they stand.
    if (new Set(wanted.map(keyOfItem)).size === wanted.length) {
      const liveByKey = new Map(live.map((item) => [keyOfItem(item), item]));
      for (const item of wanted) {
        const key = keyOfItem(item);
        compare(item, liveByKey.get(key), `${path}[${key}]`, "", field, found);
      }
      return;
    }
  }
  if (setFields.has(field) && wanted.every((value) => typeof value === "string")) {
    for (const value of wanted) if (!live.includes(value)) found.push({ path, wanted: value, live });
    return;
  }
  if (wanted.length !== live.length) {
    found.push({ path, wanted, live });
    return;
  }
  wanted.forEach((value, index) => compare(value, live[index], `${path}[${index}]`, "", field, found));
}

function isSameScalar(wanted: unknown, live: unknown, field: string, parentField: string): boolean {
  if (wanted === live) return true;
  const isQuantity = quantityMaps.has(parentField) || quantityFields.has(field);
  return isQuantity && isAmount(wanted) && isAmount(live) && isSameQuantity(wanted, live);
}

/**
 * What equals "absent": the server drops most of these. It keeps an empty object where presence means something
 * (`emptyDir: {}`); taking that for equal can miss a removal by others, never a change of ours (the hash sees that),
 * while the opposite would send the same request for ever.
 */
function isEmpty(value: unknown, field: string): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (value === false || value === 0) return zeroIsAbsent.has(field);
  if (Array.isArray(value)) return value.length === 0;
  // An object of nothing but empty parts, as `securityContext: {}` or `resources: {limits: {}}`.
  return isRecord(value) && Object.entries(value).every(([name, part]) => isEmpty(part, name));
}

function isRecord(value: unknown): value is Item {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAmount(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

function byFields(...fields: string[]): (item: Item) => string {
  return (item) => fields.map((field) => textOf(item[field])).join("/");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
