// Complete WebSocket frames (RFC 6455 section 5.2) made once and shared between sockets. Pure. Not here: reading (ws does that).

const FIN_TEXT = 0x81;
const FIN_BINARY = 0x82;
const FIN_PING = 0x89;

/** One unmasked text frame around the payload. */
export function textFrame(payload: string | Buffer): Buffer {
  return frameOf(FIN_TEXT, payload);
}

/** One unmasked binary frame around the payload. */
export function binaryFrame(payload: Buffer): Buffer {
  return frameOf(FIN_BINARY, payload);
}

function frameOf(first: number, payload: string | Buffer): Buffer {
  const length = typeof payload === "string" ? Buffer.byteLength(payload) : payload.length;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerLength + length);
  frame[0] = first;
  if (headerLength === 2) {
    frame[1] = length;
  } else if (headerLength === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    frame.writeUInt32BE(length >>> 0, 6);
  }
  if (typeof payload === "string") frame.write(payload, headerLength, "utf8");
  else payload.copy(frame, headerLength);
  return frame;
}

export type Frame = { readonly isText: boolean; /** Shares the memory of the output. */ readonly payload: Buffer };

/** The frames in a piece of output that was made here, read again. Complete and unmasked, as they are made; below 4 GiB. */
export function framesOf(output: Buffer): readonly Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < output.length;) {
    const short = output.readUInt8(at + 1);
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = short < 126 ? short : short === 126 ? output.readUInt16BE(at + 2) : output.readUInt32BE(at + 6);
    const end = at + head + length;
    frames.push({ isText: output[at] === FIN_TEXT, payload: output.subarray(at + head, end) });
    at = end;
  }
  return frames;
}

/** A text frame from parts that are concatenated as they are. */
export function textFrameOf(head: string, data: Buffer, tail: string): Buffer {
  const payload = Buffer.concat([Buffer.from(head), data, Buffer.from(tail)]);
  return textFrame(payload);
}

/**
 * What an idle socket is sent: a WebSocket ping, answered by any stack, and the frame `ping`, which also scripts in browsers see.
 * One buffer for all sockets.
 */
export const HEARTBEAT: Buffer = Buffer.concat([Buffer.from([FIN_PING, 0]), textFrame('{"t":"ping"}')]);

/** The same for clients that know no frames of ours. */
export const PLAIN_HEARTBEAT: Buffer = Buffer.from([FIN_PING, 0]);
