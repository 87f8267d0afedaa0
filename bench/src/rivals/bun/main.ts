// Bun's own publish and subscribe (uWebSockets): what a bare WebSocket fan-out costs, without users, history or positions.
type BunSocket = { subscribe(topic: string): void; send(text: string): number };
type BunServer = { upgrade(request: Request): boolean; publish(topic: string, text: string): number };

declare const Bun: {
  serve(options: {
    readonly port: number;
    readonly hostname: string;
    fetch(request: Request, server: BunServer): Response | undefined;
    readonly websocket: {
      readonly idleTimeout: number;
      readonly backpressureLimit: number;
      message(socket: BunSocket, text: string): void;
    };
  }): BunServer;
};

type Order = { readonly sub: readonly string[] } | { readonly pub: string; readonly d: unknown };

const server = Bun.serve({
  port: Number(process.env["BENCH_PORT"]),
  hostname: "127.0.0.1",
  fetch: (request, own) => (own.upgrade(request) ? undefined : new Response("ok")),
  websocket: {
    idleTimeout: 900,
    backpressureLimit: 16 * 1024 * 1024,
    message: (socket, text) => {
      const order = JSON.parse(text) as Order;
      if ("pub" in order) {
        server.publish(order.pub, JSON.stringify({ t: "pub", d: order.d }));
        return;
      }
      for (const topic of order.sub) socket.subscribe(topic);
      socket.send("joined");
    },
  },
});
