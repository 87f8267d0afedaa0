// Reads what the page of the wire protocol is made of. Not here: the page (protocol/src/gen), recording conversations (e2e/src/foreign).

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type ConversationTitle, type Prose, PROSE, protocolDocument } from "@wscluster/protocol/gen";
import { ROOT } from "./tools.ts";

const PROSE_FOLDER = join(ROOT, "protocol/src/gen/prose");
const CONVERSATIONS = join(ROOT, "docs/protocol/conversations");

export function protocolDocuments(): Readonly<Record<string, string>> {
  const parts = PROSE.map((name) => [name, readFileSync(join(PROSE_FOLDER, `${name}.md`), "utf8")]);
  const titles = readdirSync(CONVERSATIONS)
    .filter((file) => file.endsWith(".jsonl"))
    .sort()
    .map(titleOf);
  return { "docs/protocol.md": protocolDocument(Object.fromEntries(parts) as Prose, titles) };
}

function titleOf(file: string): ConversationTitle {
  const [first = "{}"] = readFileSync(join(CONVERSATIONS, file), "utf8").split("\n", 1);
  return JSON.parse(first) as ConversationTitle;
}
