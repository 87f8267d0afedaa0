import { MemoryBroker, MemoryStore } from "./memory.ts";
import { describeBroker } from "./contract.suite.ts";

describeBroker("MemoryBroker", () => {
  const store = new MemoryStore();
  return Promise.resolve({
    brokers: [new MemoryBroker({ store }), new MemoryBroker({ store })] as const,
    async failOver(lost: () => Promise<void>) {
      const snapshot = store.snapshot();
      await lost();
      store.failOver(snapshot);
    },
    freeze: () => void (store.away = true),
    wake: () => void (store.away = false),
    close: () => Promise.resolve(),
  });
});
