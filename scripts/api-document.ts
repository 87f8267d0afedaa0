// The back-end API for readers and for tools that make clients of it: docs/openapi.json and the page beside it, both out of the
// server's own table. Not here: the table (server/src/api/routes.ts).

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./tools.ts";

const SOURCE = "server/src/api/routes.ts";

type Field = { readonly description?: string };
type Schema = { readonly properties?: Readonly<Record<string, Field>>; readonly anyOf?: readonly Schema[] };
type Operation = {
  readonly summary: string;
  readonly requestBody: { readonly content: { readonly "application/json": { readonly schema: Schema } } };
};
type OpenApi = { readonly paths: Readonly<Record<string, { readonly post: Operation }>> };

export async function apiDocuments(): Promise<Readonly<Record<string, string>>> {
  const { openApi } = (await import(pathToFileURL(join(ROOT, SOURCE)).href)) as { readonly openApi: () => OpenApi };
  const document = openApi();
  const rows = Object.entries(document.paths).map(([path, { post }]) => {
    const fields = fieldsOf(post.requestBody.content["application/json"].schema);
    return `| \`${path}\` | ${fields.map((field) => `\`${field}\``).join(", ")} | ${post.summary} |`;
  });
  const parts = [
    "# Back-end API",
    `Generated from \`${SOURCE}\` by \`npm run gen\`; edits are lost. Every body and field: [openapi.json](openapi.json), which a pod also serves at \`/api/v1/openapi.json\`.`,
    "On the admin port, `POST` with a JSON body and `Authorization: Bearer KEY`. There is no API without `WSC_API_KEYS`. All keys of that list count: to replace one, add the new one and restart, let back ends change over, then take the old one out and restart.",
    `| route | fields | does |\n|---|---|---|\n${rows.join("\n")}`,
  ];
  return {
    "docs/openapi.json": `${JSON.stringify(document, undefined, 2)}\n`,
    "docs/back-end-api.md": `${parts.join("\n\n")}\n`,
  };
}

/** Of all forms that a body may have. */
function fieldsOf({ properties = {}, anyOf = [] }: Schema): readonly string[] {
  return [...new Set([...Object.keys(properties), ...anyOf.flatMap(fieldsOf)])];
}
