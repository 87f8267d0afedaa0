// Public surface of @wscluster/protocol/gen: the reference of the wire, for the repository's generator and for tests.
export { CLIENT_FRAME_ROWS } from "./client-frame-rows.ts";
export type { ConversationTitle, Prose } from "./document.ts";
export { PROSE, protocolDocument } from "./document.ts";
export type { FrameRow } from "./frame-shape.ts";
export { PLAIN_SERVER_FRAME_ROWS } from "./plain-frame-rows.ts";
export { SERVER_FRAME_ROWS } from "./server-frame-rows.ts";
