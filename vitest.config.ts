import { defineConfig } from "vitest/config";

// Tests run the TypeScript sources of every workspace: no build is needed before them.
export default defineConfig({
  resolve: { conditions: ["@wscluster/source"] },
  ssr: { resolve: { conditions: ["@wscluster/source"] } },
  test: {
    include: ["{protocol,crds,platform,server,client,react,operator,e2e,bench,scripts}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    environment: "node",
    testTimeout: 20_000,
    // A poll is a wait with a deadline, not a measurement: on a busy machine one second is too short for many of them.
    expect: { poll: { timeout: 10_000 } },
    maxWorkers: 2,
  },
});
