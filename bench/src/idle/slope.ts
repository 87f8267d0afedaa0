// Cost of one more of something, from totals at several counts. Pure.

export type Point = { readonly count: number; readonly total: number };

/** Slope of the least-squares line; 0 with fewer than two different counts. What a process needs before its first connection drops out. */
export function slopeOf(points: readonly Point[]): number {
  const meanCount = points.reduce((sum, point) => sum + point.count, 0) / Math.max(1, points.length);
  const meanTotal = points.reduce((sum, point) => sum + point.total, 0) / Math.max(1, points.length);
  let covariance = 0;
  let variance = 0;
  for (const { count, total } of points) {
    covariance += (count - meanCount) * (total - meanTotal);
    variance += (count - meanCount) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}
