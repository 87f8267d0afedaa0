// Order by chance, for tests. Not here: the chance (runtime/seeded-random.ts).

export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const moved = copy[last];
    const swapped = copy[other];
    if (moved === undefined || swapped === undefined) continue;
    copy[last] = swapped;
    copy[other] = moved;
  }
  return copy;
}
