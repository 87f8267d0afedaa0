// The text frames in a piece of the server's output, for tests that look at bytes. Only lengths below 65,536.

export function textsIn(chunk: Buffer): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at < chunk.length;) {
    const short = chunk[at + 1] ?? 0;
    const [length, header] = short < 126 ? [short, 2] : [chunk.readUInt16BE(at + 2), 4];
    texts.push(chunk.toString("utf8", at + header, at + header + length));
    at += header + length;
  }
  return texts;
}
