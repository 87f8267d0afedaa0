// The shape of the tables that describe frames. The compiler holds them to frames.ts: a frame or a field that is missing here, or that
// is marked as required and is not, does not compile.

type Must = readonly [kind: string, meaning: string];
type May = readonly [kind: string, meaning: string, presence: "optional"];

type Fields<F> = {
  readonly [K in Exclude<keyof F, "t" | "type">]-?: Record<never, never> extends Pick<F, K> ? May : Must;
};

/** One frame: what it is for, and its fields beside the one that names it. */
export type FrameRow = { readonly meaning: string; readonly fields: Readonly<Record<string, Must | May>> };

/** A row for each frame of the union `F`. */
export type FrameRows<F extends { readonly t: string }> = {
  readonly [T in F["t"]]: { readonly meaning: string; readonly fields: Fields<Extract<F, { readonly t: T }>> };
};

/** The same for frames of plain clients, which are named by `type`. */
export type PlainFrameRows<F extends { readonly type: string }> = {
  readonly [T in F["type"]]: { readonly meaning: string; readonly fields: Fields<Extract<F, { readonly type: T }>> };
};
