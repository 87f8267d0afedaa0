// The rival as its documentation shows it: every client in one room, a message is emitted to the room. WebSocket only.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { CHANNEL } from "../contenders.ts";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });
io.on("connection", async (socket) => {
  await socket.join(CHANNEL);
  socket.on("pub", (data: unknown) => io.to(CHANNEL).emit("pub", data));
});
http.listen(Number(process.env["BENCH_PORT"]), "127.0.0.1");
