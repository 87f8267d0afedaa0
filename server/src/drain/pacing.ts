// When to send: evenly over the window, decided beforehand. Pure. Not here: to whom.

/** `count` moments from `startMs` on, each in the middle of its equal share of the window. */
export function sendTimes(startMs: number, windowMs: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => startMs + ((index + 0.5) * windowMs) / count);
}

/** A share of `count` for each target, in the order in which they are used: in turn, so that no target gets a burst. */
export function targetOrder(
  targets: readonly { readonly pod: string; readonly count: number }[],
  count: number,
): readonly string[] {
  const order: { readonly pod: string; readonly at: number }[] = [];
  for (const target of targets) {
    for (let index = 0; index < target.count; index += 1)
      order.push({ pod: target.pod, at: (index + 0.5) / target.count });
  }
  order.sort((a, b) => a.at - b.at);
  return order.slice(0, count).map(({ pod }) => pod);
}
