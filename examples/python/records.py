"""What the client keeps in mind: messages, channels, connections, a move. Not here: what it does with them (wscluster.py)."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

RETRY = {"not-ready", "fenced", "out-of-order", "unavailable", "rate-limited", "commit-refused"}

Position = tuple[str, int]


class Refused(Exception):
    """The server refused for good; `code` is that of the `err` frame, or "closed"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Message:
    channel: str
    epoch: str
    offset: int
    publisher: str
    data: Any


@dataclass(eq=False)
class Outgoing:
    """A publish. `socket` is where it was sent last, `None` if it has to be sent (again)."""

    number: int
    data: Any
    answer: asyncio.Future
    socket: "Socket | None" = None
    position: Position | None = None
    acknowledged_at: float = 0.0


@dataclass(eq=False)
class Channel:
    name: str
    cursor: Position | None
    subscribed: asyncio.Future
    last_number: int = 0
    # Unanswered, in order of their numbers; and acknowledged ones of the last half minute.
    outgoing: list[Outgoing] = field(default_factory=list)
    kept: list[Outgoing] = field(default_factory=list)
    wanted: bool = False


class Socket:
    """One connection. `epochs` and `seen` say where it stands in each channel; `early` holds messages that are ahead of the cursor."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.is_open = True
        self.is_ready = False
        self.is_welcome = False
        self.heartbeat = 20.0
        self.asked: set[str] = set()
        self.given: dict[str, Position] = {}
        self.epochs: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        self.early: dict[str, dict[int, dict]] = {}
        self.code = 1006

    def send(self, frame: dict) -> None:
        if self.is_open:
            asyncio.ensure_future(self._send(json.dumps(frame)))

    async def _send(self, text: str) -> None:
        try:
            await self.connection.send(text)
        except ConnectionClosed:
            pass

    async def close(self, code: int = 1000) -> None:
        self.is_open = False
        await self.connection.close(code)


@dataclass(eq=False)
class Move:
    id: str
    url: str
    ticket: str
    deadline: float
    candidate: Socket | None = None
    commit: int = 0


def hello(producer: dict, who: dict, identity: dict | None, wanted: list[Channel], ticket: str | None) -> dict:
    """The first frame of a new session, or of a resume that takes it over at once."""
    frame = {"t": "hello", "producer": producer, "caps": ["migrate", "resume"]} | who
    if identity:
        frame |= {"resume": identity | {"pos": positions(wanted)}} | ({"ticket": ticket} if ticket else {})
    frame["sub"] = [
        {"c": channel.name} | ({"from": {"epoch": channel.cursor[0], "offset": channel.cursor[1]}} if channel.cursor else {})
        for channel in wanted
        if not (identity and channel.cursor)
    ]
    return frame


def prepare_hello(producer: dict, identity: dict, wanted: list[Channel], ticket: str | None) -> dict:
    """The first phase of a move: ticket and secret say who we are."""
    resume = identity | {"pos": positions(wanted)}
    return {
        "t": "hello",
        "producer": producer,
        "caps": ["migrate", "resume"],
        "resume": resume,
        "ticket": ticket,
        "prepare": True,
    }


def positions(wanted: list[Channel]) -> list:
    return [[channel.name, *channel.cursor] for channel in wanted if channel.cursor]


def named_url(base: str, pod: str, ticket: str) -> str:
    """Where to find the pod that `migrate` names."""
    parts = urlsplit(base)
    named = urlencode({"pod": pod, "ticket": ticket})
    return urlunsplit(parts._replace(query=f"{parts.query}&{named}" if parts.query else named))


def action_for(code: int) -> str:
    """What to do after a close code."""
    named = {1000: "done", 1001: "window", 1009: "stay-away", 1012: "window", 1013: "window", 4003: "backoff", 4210: "new-session"}
    if code in named:
        return named[code]
    if 4000 <= code < 4100:
        return "stay-away"
    return "window" if 4200 <= code < 4300 else "backoff"


def backoff(attempt: int) -> float:
    """Seconds to wait where no window says it."""
    return random.uniform(0, 3) if attempt == 0 else random.uniform(0.5, min(20.0, 0.5 * 2**attempt))
