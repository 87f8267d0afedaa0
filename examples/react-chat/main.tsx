// A chat page in React. `?room=` names the channel, `?name=` the user, `?url=` another server.

import { useChannel, useConnectionState, WsClusterProvider } from "@wscluster/react";
import { StrictMode, useEffect, useRef, useState } from "react";
import type { SubmitEvent } from "react";
import { createRoot } from "react-dom/client";

type Line = { readonly text: string };

const LABELS = {
  idle: "starting",
  connecting: "connecting",
  greeting: "connecting",
  restoring: "catching up",
  live: "connected",
  waiting: "offline, trying again",
  closed: "closed",
  "given-up": "given up: reload to try again",
} as const;

const query = new URLSearchParams(location.search);
const options = {
  url: query.get("url") ?? `ws${location.protocol === "https:" ? "s" : ""}://${location.host}/ws`,
  user: query.get("name") ?? "guest",
};

function Status() {
  const { state, isLive, pod } = useConnectionState();
  return (
    <p className={isLive ? "status live" : "status"} role="status">
      {LABELS[state]}
      {isLive && pod ? <small> to pod {pod}</small> : null}
    </p>
  );
}

function Room({ name }: { readonly name: string }) {
  const { messages, gaps, status, error, publish } = useChannel<Line>(name, { history: 50 });
  const [text, setText] = useState("");
  const [sending, setSending] = useState<readonly { readonly id: number; readonly text: string }[]>([]);
  const lastId = useRef(0);
  const [failure, setFailure] = useState("");
  const end = useRef<HTMLLIElement>(null);
  useEffect(() => {
    // In a block: newer browsers return a promise, which would be taken for a clean-up.
    end.current?.scrollIntoView({ block: "end" });
  }, [messages, sending]);
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    if (text.trim() === "") return;
    setText("");
    setFailure("");
    // Offline it waits in the SDK's queue; until it is stored it is shown apart.
    lastId.current += 1;
    const id = lastId.current;
    setSending((lines) => [...lines, { id, text }]);
    publish({ text })
      .catch((reason: unknown) => setFailure(reason instanceof Error ? reason.message : String(reason)))
      .finally(() => setSending((lines) => lines.filter((line) => line.id !== id)));
  };
  return (
    <>
      <h1>#{name}</h1>
      <ol aria-live="polite" aria-label={`Messages of ${name}`}>
        {messages.length === 0 && status === "subscribed" ? (
          <li className="hint">Nobody has said anything yet.</li>
        ) : null}
        {messages.map(({ epoch, offset, publisher, data, timestamp }) => (
          <li key={`${epoch}/${offset}`} className={publisher === options.user ? "own" : undefined}>
            <b>{publisher}</b>
            <time>{new Date(timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}</time>
            <span>{data.text}</span>
          </li>
        ))}
        {sending.map((line) => (
          <li key={line.id} className="own sending">
            <b>{options.user}</b>
            <time>sending</time>
            <span>{line.text}</span>
          </li>
        ))}
        <li ref={end} aria-hidden="true" className="end" />
      </ol>
      {gaps.length > 0 ? <p className="warning">Some older messages could not be loaded.</p> : null}
      {error || failure ? (
        <p className="warning" role="alert">
          {error?.message ?? failure}
        </p>
      ) : null}
      <form onSubmit={send}>
        <input
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder={`Message #${name} as ${options.user}`}
          aria-label="Message"
          disabled={status === "ended"}
          autoFocus
        />
        <button disabled={status === "ended" || text.trim() === ""}>Send</button>
      </form>
    </>
  );
}

const root = document.querySelector("main");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <WsClusterProvider options={options}>
        <Status />
        <Room name={query.get("room") ?? "lobby"} />
      </WsClusterProvider>
    </StrictMode>,
  );
}
