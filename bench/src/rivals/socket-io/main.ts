// The rival as its documentation shows it: clients in rooms, a message is emitted to a room. WebSocket only, nothing kept.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { TOKEN_KEY } from "../contender.ts";

type Auth = { readonly token: string; readonly channels: readonly string[] };

const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
  pingInterval: 300_000,
});
io.use((socket, next) => {
  const [head = "", claims = "", signature = ""] = (socket.handshake.auth as Auth).token.split(".");
  const wanted = createHmac("sha256", TOKEN_KEY).update(`${head}.${claims}`).digest();
  const given = Buffer.from(signature, "base64url");
  next(given.length === wanted.length && timingSafeEqual(given, wanted) ? undefined : new Error("unauthorized"));
});
io.on("connection", async (socket) => {
  const { channels } = socket.handshake.auth as Auth;
  await socket.join([...channels]);
  socket.on("pub", (channel: string, data: unknown) => io.to(channel).emit("pub", data));
  socket.emit("joined");
});
http.listen({ port: Number(process.env["BENCH_PORT"]), host: "127.0.0.1", backlog: 4_096 });
