// The texts in a piece of the server's output, for tests that look at bytes.

import { framesOf } from "../transport/wire-frame.ts";

export const textsIn = (chunk: Buffer): readonly string[] => framesOf(chunk).map(({ payload }) => payload.toString());
