// The lint configuration as a table: general rules, and which folder may import what. `npm run gen` writes it to .oxlintrc.json.
// Later overrides replace earlier ones for the same rule, so each folder states its whole list; a negated match (`!x`) ends the list, so patterns with one come last. Pure; tested in lint-config.test.ts.

type ImportPattern = {
  readonly group?: readonly string[];
  readonly regex?: string;
  readonly message: string;
  readonly allowTypeImports?: boolean;
};

type FolderRule = {
  readonly files: readonly string[];
  readonly excludeFiles?: readonly string[];
  readonly imports: readonly ImportPattern[];
  /** No clock, randomness, timers or network: the same facts give the same answer. */
  readonly isPure?: boolean;
};

const only = (name: string, where: string): ImportPattern => ({
  group: [name, `${name}/**`],
  message: `only ${where} imports ${name}: it is replaced in one place or not at all`,
});

const KUBERNETES = only("@kubernetes/client-node", "operator/src/kube");
const UNDICI = only("undici", "operator/src/kube");
const PROM = only("prom-client", "platform");
const WS = only("ws", "server/src/transport");
const REDIS = only("ioredis", "the Redis broker of the server");
const OWNED = [KUBERNETES, UNDICI, PROM, WS, REDIS];

const DEEP: readonly ImportPattern[] = [
  {
    group: ["@wscluster/*/**", "!@wscluster/*/testing", "!@wscluster/*/gen"],
    message: "import another workspace by its package name: what it does not export may change any day",
  },
  {
    regex: "^(\\.\\./)+(protocol|crds|platform|server|client|operator|e2e|bench)/",
    message: "import another workspace by its package name, not by path",
  },
];

const notFrom = (names: string, why: string): ImportPattern => ({ regex: `^@wscluster/(${names})(/|$)`, message: why });
const nothingBut = (names: readonly string[], why: string): ImportPattern => ({
  group: ["*", "!./**", "!../**", ...names.map((name) => `!${name}`)],
  message: why,
});
const without = (...allowed: readonly ImportPattern[]) => OWNED.filter((pattern) => !allowed.includes(pattern));

const SERVER_WALL = notFrom("crds|client|operator|e2e|bench", "the server knows the protocol and the platform only");
const OPERATOR_WALL = notFrom(
  "server|client|e2e|bench",
  "the operator reaches pods through the contract, not through their code",
);
const PURE_WALL = nothingBut(
  ["@wscluster", "@wscluster/crds", "@wscluster/protocol"],
  "decisions import types and siblings only: no clock, no randomness, no I/O",
);
/** The parts of the operator that do I/O or hold a clock. What else lies in those folders is pure and may be used. */
const SHELLS: ImportPattern = {
  regex:
    "^\\.\\.?/(.*/)?(kube/|contract/|signals/|runtime/(index|clock|controller|queue)\\.ts|edge/(index|agent|main|proxy|runtime-socket|snapshot|source)\\.ts)|/(act|observe|controller)\\.ts$",
  message: "decisions may know the types of the shells around them, not their code",
  allowTypeImports: true,
};

const TESTS = ["**/*.test.ts", "**/testing/**"];

export const FOLDER_RULES: readonly FolderRule[] = [
  { files: ["**/*.ts"], imports: [...OWNED, ...DEEP] },
  {
    files: ["protocol/src/**"],
    excludeFiles: TESTS,
    imports: [nothingBut([], "the protocol runs in browsers and has no dependency")],
    isPure: true,
  },
  { files: ["crds/src/**"], imports: [...OWNED, notFrom("[a-z0-9]+", "the resources stand alone"), ...DEEP] },
  {
    files: ["platform/src/**"],
    imports: [
      ...without(PROM),
      ...DEEP,
      notFrom("crds|server|client|operator|e2e|bench", "the platform knows the protocol only"),
    ],
  },
  { files: ["server/src/**"], imports: [...OWNED, SERVER_WALL, ...DEEP] },
  { files: ["server/src/transport/**"], imports: [...without(WS), SERVER_WALL, ...DEEP] },
  {
    files: ["server/src/broker/redis*", "server/src/broker/redis*/**"],
    imports: [...without(REDIS), SERVER_WALL, ...DEEP],
  },
  {
    files: ["client/src/**"],
    excludeFiles: TESTS,
    imports: [
      nothingBut(["@wscluster", "@wscluster/protocol"], "the SDK runs in browsers and depends on the protocol only"),
    ],
  },
  { files: ["operator/src/**"], imports: [...OWNED, OPERATOR_WALL, ...DEEP] },
  { files: ["operator/src/kube/**"], imports: [...without(KUBERNETES, UNDICI), OPERATOR_WALL, ...DEEP] },
  {
    files: ["operator/src/**/decide/**", "operator/src/moves/**"],
    excludeFiles: TESTS,
    imports: [SHELLS, PURE_WALL],
    isPure: true,
  },
  {
    files: ["e2e/src/**", "bench/src/**"],
    imports: [
      ...without(WS, UNDICI),
      notFrom("operator|platform", "end-to-end code uses what users use: HTTP, the Kubernetes API, the SDK"),
      ...DEEP,
    ],
  },
  { files: TESTS, imports: DEEP },
];

const PURE_RULES = {
  "no-restricted-globals": [
    "error",
    ...["fetch", "setTimeout", "setInterval", "setImmediate", "performance", "process"].map((name) => ({
      name,
      message: "pure code takes facts and returns plans; inject what comes from outside",
    })),
  ],
  "no-restricted-properties": [
    "error",
    { object: "Date", property: "now", message: "take the time as an argument" },
    { object: "Math", property: "random", message: "take the randomness as an argument" },
  ],
};

const RULES = {
  "import/no-cycle": "error",
  "import/no-default-export": "error",
  "max-lines": ["error", { max: 500, skipBlankLines: false, skipComments: false }],
  eqeqeq: ["error", "always"],
  "no-var": "error",
  "prefer-const": "error",
  "no-warning-comments": ["error", { terms: ["todo", "fixme", "xxx"] }],
  "unicorn/filename-case": ["error", { case: "kebabCase" }],
  "typescript/ban-ts-comment": "error",
  "typescript/consistent-type-imports": ["error", { prefer: "type-imports", fixStyle: "inline-type-imports" }],
  "typescript/no-explicit-any": "error",
  "typescript/no-non-null-assertion": "error",
  "typescript/no-floating-promises": "error",
  "typescript/no-misused-promises": "error",
  "typescript/only-throw-error": "error",
  "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
  "vitest/no-focused-tests": "error",
  "vitest/no-disabled-tests": "error",
  "vitest/valid-expect": ["error", { maxArgs: 2 }],
  "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" }],
  // A field of the status is called `then`; nothing awaits a report.
  "unicorn/no-thenable": "off",
  // `cause: unknown | undefined` says that absence is expected.
  "typescript/no-redundant-type-constituents": "off",
  // Many tests share one function that holds the assertions of a scene.
  "vitest/expect-expect": "off",
  // A list of arguments in groups reads better than one flat list.
  "unicorn/no-useless-spread": "off",
  // An `expect` in a set-up or behind a narrowing `if` still fails the test.
  "vitest/no-conditional-expect": "off",
  "vitest/no-standalone-expect": "off",
};

export function lintConfig(): Readonly<Record<string, unknown>> {
  return {
    $schema: "./node_modules/oxlint/configuration_schema.json",
    plugins: ["typescript", "unicorn", "oxc", "import", "promise", "node", "vitest"],
    categories: { correctness: "error" },
    options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: "error" },
    ignorePatterns: ["**/dist/**", "**/node_modules/**"],
    rules: RULES,
    overrides: [
      ...FOLDER_RULES.map(({ files, excludeFiles, imports, isPure }) => ({
        files,
        ...(excludeFiles && { excludeFiles }),
        rules: { "no-restricted-imports": ["error", { patterns: imports }], ...(isPure && PURE_RULES) },
      })),
      // Test doubles have no `this` to lose; a raw WebSocket message in a test is a Buffer, whatever its type allows.
      { files: TESTS, rules: { "typescript/unbound-method": "off", "typescript/no-base-to-string": "off" } },
      // Vitest asks for it.
      { files: ["vitest.config.ts"], rules: { "import/no-default-export": "off" } },
    ],
  };
}
