// When to come back. Pure: randomness and time are arguments. Not here: timers and sockets (client).

export type Window = { readonly minMs: number; readonly maxMs: number };

/**
 * Where a client that could not connect asks for its window: GET on the host of the WebSocket, answered by the edge with
 * `{"admit": boolean, "windowMs": number}`, readable from every origin. 0: come back when you like.
 */
export const ADMISSION = { path: "/wsc/admission", maxWindowMs: 300_000 } as const;

/** First try after a break that no window explains: spread over three seconds. */
export const FIRST_TRY: Window = { minMs: 0, maxMs: 3_000 };
const BASE_MS = 500;
const CAP_MS = 20_000;

/**
 * Delay before the next attempt: inside the server's window where there is one, else full jitter, 0-3 s for the first try and
 * then 0.5 s doubling to 20 s.
 * @param attempt 0 for the first try after a session that was ready.
 * @param random in [0, 1).
 */
export function reconnectDelayMs(attempt: number, random: number, window?: Window): number {
  if (window) return Math.round(window.minMs + random * Math.max(0, window.maxMs - window.minMs));
  if (attempt <= 0) return Math.round(FIRST_TRY.minMs + random * (FIRST_TRY.maxMs - FIRST_TRY.minMs));
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 16));
  return Math.round(BASE_MS + random * Math.max(0, ceiling - BASE_MS));
}

/**
 * The window that lets `sessions` come back without passing what the fleet can admit: sessions / admission x 1.25, at most 300 s.
 * @param admissionPerSecond measured new sessions per second that the remaining pods bear; must be above 0.
 */
export function getReconnectionWindow(sessions: number, admissionPerSecond: number): Window {
  const seconds = admissionPerSecond > 0 ? (sessions / admissionPerSecond) * 1.25 : Infinity;
  return { minMs: 0, maxMs: Math.round(Math.min(ADMISSION.maxWindowMs, Math.max(0, seconds * 1_000))) };
}
