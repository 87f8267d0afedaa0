// Shows each rule fire on a small bad snippet, and stay quiet on the allowed twin. The snippets are linted in one run, in a folder of their own.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lintConfig } from "./lint-config.ts";
import { ROOT, toolPath } from "./tools.ts";

type Snippet = {
  readonly what: string;
  readonly file: string;
  readonly code: string;
  readonly rule: string | undefined;
};

const IMPORTS = "eslint(no-restricted-imports)";
const bad = (rule: string, file: string, code: string): Snippet => ({
  what: `${file}: ${code.split("\n")[0]}`,
  file,
  code,
  rule,
});
const good = (file: string, code: string): Snippet => ({
  what: `${file}: ${code.split("\n")[0]}`,
  file,
  code,
  rule: undefined,
});
const use = (from: string, name = "thing") => `import { ${name} } from "${from}";\nexport const used = ${name};\n`;
const useType = (from: string) => `import type { Thing } from "${from}";\nexport type Used = Thing;\n`;

const SNIPPETS: readonly Snippet[] = [
  // Who may import which library.
  bad(IMPORTS, "operator/src/cluster/act.ts", use("@kubernetes/client-node")),
  good("operator/src/kube/config.ts", use("@kubernetes/client-node")),
  bad(IMPORTS, "operator/src/contract/pods.ts", use("undici")),
  good("operator/src/kube/connection.ts", use("undici")),
  bad(IMPORTS, "server/src/telemetry/meters.ts", use("prom-client")),
  good("platform/src/registry.ts", use("prom-client")),
  bad(IMPORTS, "server/src/session/session.ts", use("ws")),
  good("server/src/transport/upgrade.ts", use("ws")),
  bad(IMPORTS, "server/src/session/row.ts", use("ioredis")),
  bad(IMPORTS, "server/src/broker/memory/broker.ts", use("ioredis")),
  good("server/src/broker/redis/broker.ts", use("ioredis")),
  good("server/src/broker/redis-keys.ts", use("ioredis")),
  good("e2e/src/load/raw.ts", use("ws")),

  // Which workspace may know which.
  bad(IMPORTS, "protocol/src/frame.ts", use("zod")),
  bad(IMPORTS, "protocol/src/bytes.ts", use("node:buffer")),
  good("protocol/src/codes.ts", use("./frame.ts", "used")),
  bad(IMPORTS, "client/src/url.ts", use("@wscluster/platform")),
  bad(IMPORTS, "client/src/socket.ts", use("ws")),
  bad(IMPORTS, "client/src/timer.ts", use("node:timers")),
  good("client/src/frames.ts", use("@wscluster/protocol")),
  bad(IMPORTS, "crds/src/shape.ts", use("@wscluster/protocol")),
  bad(IMPORTS, "platform/src/names.ts", use("@wscluster/crds")),
  good("platform/src/paths.ts", use("@wscluster/protocol")),
  bad(IMPORTS, "server/src/main.ts", use("@wscluster/crds")),
  bad(IMPORTS, "operator/src/main.ts", use("@wscluster/server")),
  bad(IMPORTS, "operator/src/fake.ts", use("@wscluster/server/testing")),
  bad(IMPORTS, "e2e/src/demo/main.ts", use("@wscluster/operator")),
  bad(IMPORTS, "e2e/src/demo/deep.ts", use("@wscluster/client/src/session.ts")),
  bad(IMPORTS, "e2e/src/demo/path.ts", use("../../../server/src/main.ts")),
  good("e2e/src/demo/public.ts", use("@wscluster/client")),
  good("e2e/src/demo/server.ts", use("@wscluster/server/testing")),

  // Decisions are pure.
  bad(IMPORTS, "operator/src/cluster/decide/file.ts", use("node:fs")),
  bad(IMPORTS, "operator/src/cluster/decide/log.ts", use("@wscluster/platform")),
  bad(IMPORTS, "operator/src/cluster/decide/deep/apply.ts", use("../../../kube/client.ts")),
  bad(IMPORTS, "operator/src/moves/send.ts", use("../contract/pods.ts")),
  bad(IMPORTS, "operator/src/moves/loop.ts", use("../runtime/index.ts")),
  bad(IMPORTS, "operator/src/cluster/decide/socket.ts", use("../../edge/runtime-socket.ts")),
  good("operator/src/moves/bucket.ts", use("../runtime/token-bucket.ts")),
  good("operator/src/cluster/decide/proxy.ts", use("../../edge/haproxy-config.ts")),
  good("operator/src/cluster/decide/types.ts", useType("../../kube/objects.ts")),
  good("operator/src/cluster/decide/names.ts", use("@wscluster/crds")),
  good("operator/src/moves/rank.ts", use("./send.ts", "used")),
  bad("eslint(no-restricted-properties)", "operator/src/cluster/decide/now.ts", "export const at = Date.now();\n"),
  bad("eslint(no-restricted-properties)", "operator/src/moves/dice.ts", "export const pick = Math.random();\n"),
  bad(
    "eslint(no-restricted-globals)",
    "operator/src/moves/wait.ts",
    "export const wait = () => setTimeout(() => undefined, 1);\n",
  ),
  bad(
    "eslint(no-restricted-globals)",
    "operator/src/cluster/decide/ask.ts",
    'export const ask = () => fetch("http://pod");\n',
  ),
  bad("eslint(no-restricted-properties)", "protocol/src/clock.ts", "export const at = Date.now();\n"),
  good("operator/src/runtime/clock.ts", "export const at = Date.now();\n"),
  good(
    "operator/src/moves/dice.test.ts",
    'import { expect, it } from "vitest";\nit("x", () => expect(Date.now()).toBe(1));\n',
  ),

  // House style.
  bad("eslint(max-lines)", "server/src/long.ts", "export {};\n".repeat(501)),
  good("server/src/short.ts", "export {};\n".repeat(499)),
  bad("unicorn(filename-case)", "server/src/camelCase.ts", "export {};\n"),
  bad("import(no-default-export)", "server/src/default.ts", "export default 1;\n"),
  bad("typescript(no-explicit-any)", "server/src/any.ts", "export const f = (x: any) => String(x);\n"),
  bad("typescript(ban-ts-comment)", "server/src/ignore.ts", "// @ts-ignore\nexport const x: string = 1;\n"),
  bad(
    "typescript(consistent-type-imports)",
    "server/src/value.ts",
    'import { Stats } from "node:fs";\nexport type S = Stats;\n',
  ),
  bad("eslint(no-warning-comments)", "server/src/later.ts", "// TODO later\nexport {};\n"),
  bad(
    "vitest(no-focused-tests)",
    "server/src/a.test.ts",
    'import { it } from "vitest";\nit.only("x", () => undefined);\n',
  ),
  bad(
    "vitest(no-disabled-tests)",
    "server/src/b.test.ts",
    'import { it } from "vitest";\nit.skip("x", () => undefined);\n',
  ),

  // Cycles, and the rules that need types.
  bad("import(no-cycle)", "server/src/cycle-a.ts", 'import { b } from "./cycle-b.ts";\nexport const a: number = b;\n'),
  bad("import(no-cycle)", "server/src/cycle-b.ts", 'import { a } from "./cycle-a.ts";\nexport const b: number = a;\n'),
  bad(
    "typescript(no-floating-promises)",
    "server/src/float.ts",
    "export const f = () => {\n  Promise.resolve(1);\n};\n",
  ),
  bad(
    "typescript(no-misused-promises)",
    "server/src/misuse.ts",
    "export const f = (list: number[]) => list.forEach(async (n) => {\n  await Promise.resolve(n);\n});\n",
  ),
  bad("typescript(only-throw-error)", "server/src/throw.ts", 'export const f = () => {\n  throw "text";\n};\n'),
  bad(
    "typescript(switch-exhaustiveness-check)",
    "server/src/switch.ts",
    'export const f = (x: "a" | "b") => {\n  switch (x) {\n    case "a":\n      return 1;\n  }\n  return 2;\n};\n',
  ),
];

describe("the lint configuration", () => {
  const folder = mkdtempSync(join(tmpdir(), "wsc-lint-"));
  const found = new Map<string, Set<string>>();

  beforeAll(async () => {
    const write = (file: string, text: string) => {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    };
    write(".oxlintrc.json", JSON.stringify(lintConfig()));
    write(
      "tsconfig.json",
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          allowImportingTsExtensions: true,
          module: "nodenext",
          target: "es2024",
        },
      }),
    );
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    for (const snippet of SNIPPETS) write(snippet.file, snippet.code);
    const args = [toolPath("oxlint"), "-f", "json"];
    // It ends with 1 because it finds what it should.
    const run = await promisify(execFile)(process.execPath, args, { cwd: folder, maxBuffer: 32 * 1024 * 1024 }).catch(
      (error: { stdout: string }) => error,
    );
    const report = JSON.parse(run.stdout) as { diagnostics: { code?: string; filename: string }[] };
    for (const { code = "parse", filename } of report.diagnostics) {
      found.set(filename, (found.get(filename) ?? new Set()).add(code));
    }
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(SNIPPETS.filter((snippet) => snippet.rule !== undefined))("reports $what", ({ file, rule }) => {
    expect([...(found.get(file) ?? [])]).toContain(rule);
  });

  it.each(SNIPPETS.filter((snippet) => snippet.rule === undefined))("takes $what", ({ file }) => {
    expect([...(found.get(file) ?? [])]).toEqual([]);
  });
});
