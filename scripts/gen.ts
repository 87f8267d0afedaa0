// `npm run gen`: writes every generated file. `npm run gen -- --check` changes nothing and fails when one is not up to date.

import { differing, generate, writeGenerated } from "./generated.ts";

const { files, problems } = await generate();
const isCheck = process.argv.includes("--check");
if (problems.length > 0) {
  console.error(`cannot generate from crds/src:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  process.exitCode = 1;
} else if (isCheck) {
  const paths = differing(files);
  for (const path of paths) console.error(`${path} is not what the sources give; run \`npm run gen\``);
  process.exitCode = paths.length > 0 ? 1 : 0;
} else {
  const paths = writeGenerated(files);
  for (const path of paths) console.log(`wrote ${path}`);
  console.log(`${Object.keys(files).length} generated files, ${paths.length} changed`);
}
