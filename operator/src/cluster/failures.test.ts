// docs/failures.md names the files that show each row: names that no longer exist show nothing.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("names files that exist", () => {
  const text = readFileSync(new URL("../../../docs/failures.md", import.meta.url), "utf8");
  const named = [...text.matchAll(/`([\w.-]+\.(?:golden|test\.ts))`/g)].map(([, name]) => name);
  const files = readdirSync(fileURLToPath(new URL("..", import.meta.url)), { recursive: true }).map(
    (path) => String(path).split("/").at(-1) ?? "",
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => name === undefined || !files.includes(name))).toEqual([]);
});
