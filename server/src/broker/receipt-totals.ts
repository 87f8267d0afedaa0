// Receipt fields "INTENT|SOURCE|outcome" <-> totals by intent. Pure. Not here: where they are stored.

import { NO_RECEIPTS } from "@wscluster/protocol";
import type { Receipts } from "@wscluster/protocol";
import type { ReceiptOf, ReceiptOutcome } from "./port.ts";

export function receiptField(receipt: ReceiptOf, outcome: ReceiptOutcome): string {
  return `${receipt.intent}|${receipt.source}|${outcome}`;
}

function isOutcome(text: string): text is ReceiptOutcome {
  return text in NO_RECEIPTS;
}

/** Sums fields over sources. A field that this version does not know is left out. */
export function receiptTotals(fields: Iterable<readonly [string, number]>): Record<string, Receipts> {
  const totals: Record<string, Receipts> = {};
  for (const [field, count] of fields) {
    const [intent, , outcome] = field.split("|");
    if (intent === undefined || outcome === undefined || !isOutcome(outcome)) continue;
    const sum = totals[intent] ?? NO_RECEIPTS;
    totals[intent] = { ...sum, [outcome]: sum[outcome] + count };
  }
  return totals;
}
