// Kubernetes quantities ("500m", "1Gi", "1e3") as exact fractions, to see that two spellings mean one amount. Pure.

const binary: Record<string, bigint> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};
/** Powers of ten. */
const decimal: Record<string, number> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE][+-]?\d{1,3})|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])?)$/;

/** Amount in units of 10^-9 (the finest that Kubernetes knows); undefined when the text is no quantity. */
export function parseQuantity(value: string | number): bigint | undefined {
  const match = pattern.exec(String(value).trim());
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", exponent, suffix = ""] = match;
  if (whole === "" && fraction === "") return undefined;
  const digits = BigInt(`${whole}${fraction}`);
  const factor = binary[suffix] ?? 1n;
  const power = 9 - fraction.length + (exponent === undefined ? 0 : Number(exponent.slice(1)));
  const powerOfSuffix = binary[suffix] === undefined ? (decimal[suffix] ?? 0) : 0;
  const scaled = scaleByTen(digits * factor, power + powerOfSuffix);
  return sign === "-" ? -scaled : scaled;
}

export function isSameQuantity(a: string | number, b: string | number): boolean {
  const left = parseQuantity(a);
  return left !== undefined && left === parseQuantity(b);
}

// Finer than a billionth is rounded up, as the API server does.
function scaleByTen(value: bigint, power: number): bigint {
  if (power >= 0) return value * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (value + divisor - 1n) / divisor;
}
