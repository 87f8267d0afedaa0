// Order of resourceVersions. Kubernetes 1.35 promises that they are decimal numbers of any size that can be compared
// within one resource (KEP-5504); older servers behave so. What is not a number is only ever equal or unknown.

/** -1, 0, 1; undefined when the two cannot be ordered. */
export function compareVersions(a: string, b: string): -1 | 0 | 1 | undefined {
  if (a === b) return 0;
  if (!isNumeric(a) || !isNumeric(b)) return undefined;
  const [left, right] = [BigInt(a), BigInt(b)];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** True only when `a` is known to be `b` or later. */
export function isAtLeast(a: string, b: string): boolean {
  const order = compareVersions(a, b);
  return order === 0 || order === 1;
}

/** The later of the two; `b` when they cannot be ordered, since it arrived later. */
export function newerVersion(a: string | undefined, b: string): string {
  return a !== undefined && compareVersions(a, b) === 1 ? a : b;
}

function isNumeric(version: string): boolean {
  return /^\d+$/.test(version);
}
