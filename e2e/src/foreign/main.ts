// Records the conversations of docs/protocol/conversations from the real server: `node scripts/enter.mjs e2e/src/foreign/main.ts`.

import { mkdirSync, writeFileSync } from "node:fs";
import { formatConversation } from "./conversation.ts";
import { playScore } from "./player.ts";
import { SCORES } from "./scores.ts";

const folder = new URL("../../../docs/protocol/conversations/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const { head, score } of SCORES) {
  writeFileSync(new URL(`${head.name}.jsonl`, folder), formatConversation(await playScore(head, score)));
  console.log(`recorded ${head.name}`);
}
