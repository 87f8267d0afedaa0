"""A small client for wscluster, written from docs/protocol.md alone.

It subscribes, publishes exactly once, resumes after a break and moves between pods without a gap. What it leaves out: ephemeral messages,
history pages, token refresh.
"""

import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

from records import RETRY, Channel, Message, Move, Outgoing, Position, Refused, Socket, action_for, backoff, hello, named_url, prepare_hello
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

SUBPROTOCOL = "wscluster.v1.json"
REQUEST_TIMEOUT = 10.0
KEEP_ACKNOWLEDGED = 30.0


class Client:
    """`await client.run()` in a task of its own; the rest may be called at any time."""

    def __init__(
        self,
        url: str,
        user: str | None = None,
        token: str | None = None,
        on_message: Callable[[Message], None] = lambda message: None,
        on_event: Callable[[str, dict], None] = lambda name, facts: None,
    ) -> None:
        self.url = url
        self.user = user
        self.token = token
        self.on_message = on_message
        self.on_event = on_event
        self.producer = {"id": secrets.token_hex(8), "gen": 1}
        self.channels: dict[str, Channel] = {}
        self._identity: dict | None = None
        self._socket: Socket | None = None  # writes go here
        self._leaving: Socket | None = None
        self._move: Move | None = None
        self._dark, self._dark_code = asyncio.Event(), 1006
        self._requests: dict[int, tuple[Channel, Outgoing] | Channel] = {}
        self._last_request = 0
        self._window, self._window_until = (0.0, 3.0), 0.0
        self._attempt = 0
        self._next_url, self._next_ticket = url, None
        self._is_over = False
        self._tasks: set[asyncio.Task] = set()

    # ---- for applications ----------------------------------------------------------------------------------------------------

    async def subscribe(self, name: str, start: Position | None = None) -> Position:
        channel = self._channel(name)
        channel.wanted = True
        if start is not None:
            channel.cursor = start
        self._ask(channel)
        return await channel.subscribed

    async def publish(self, name: str, data: Any) -> Position:
        """Returns the message's position once it is stored."""
        channel = self._channel(name)
        channel.last_number += 1
        outgoing = Outgoing(channel.last_number, data, asyncio.get_running_loop().create_future())
        channel.outgoing.append(outgoing)
        self._flush(channel)
        return await outgoing.answer

    async def close(self) -> None:
        self._is_over = True
        self._dark.set()
        for socket in self._sockets():
            await socket.close()

    async def run(self) -> None:
        """Keeps the session alive until `close()`, or until the server says to stay away."""
        while not self._is_over:
            self._dark.clear()
            code = 1006
            try:
                self._socket = await self._open(self._next_url, self._hello(ticket=self._next_ticket))
                await self._dark.wait()
                code = self._dark_code
            except (OSError, TimeoutError, WebSocketException):
                self._next_url = self.url
            if self._is_over:
                break
            action = action_for(code)
            if action in ("stay-away", "done"):
                self._give_up(Refused("closed", f"the server closed with {code}"))
                break
            if action == "new-session":
                self._identity = None
            await asyncio.sleep(self._delay(action))
            self._attempt += 1

    # ---- connections ---------------------------------------------------------------------------------------------------------

    def _hello(self, ticket: str | None = None, prepare: bool = False) -> dict:
        who = {"token": self.token} if self.token else {"user": self.user} if self.user else {}
        wanted = [channel for channel in self.channels.values() if channel.wanted]
        if prepare and self._identity:
            return prepare_hello(self.producer, self._identity, wanted, ticket)
        return hello(self.producer, who, self._identity, wanted, ticket)

    async def _open(self, url: str, first: dict) -> Socket:
        connection = await asyncio.wait_for(
            connect(url, subprotocols=[SUBPROTOCOL], compression=None, ping_interval=None, max_size=None),  # type: ignore[list-item]
            REQUEST_TIMEOUT,
        )
        socket = Socket(connection)
        given = [(c, (e, o)) for c, e, o in first.get("resume", {}).get("pos", [])]
        given += [(s["c"], (s["from"]["epoch"], s["from"]["offset"])) for s in first.get("sub", []) if "from" in s]
        socket.given = dict(given)
        socket.asked = {c for c, _ in given} | {s["c"] for s in first.get("sub", [])}
        await connection.send(json.dumps(first))
        self._spawn(self._read(socket))
        return socket

    async def _read(self, socket: Socket) -> None:
        try:
            while True:
                # Silence for more than two heartbeats: the connection is dead.
                text = await asyncio.wait_for(socket.connection.recv(), socket.heartbeat * 2.5)
                self._on_frame(socket, json.loads(text))
        except ConnectionClosed:
            socket.code = socket.connection.close_code or 1006
        except TimeoutError:
            await socket.connection.close(4100)
        finally:
            socket.is_open = False
            self._on_closed(socket)

    def _on_closed(self, socket: Socket) -> None:
        for channel in self.channels.values():
            for outgoing in channel.outgoing:
                if outgoing.socket is socket:
                    outgoing.socket = None
        move = self._move
        if socket is self._leaving:
            self._leaving = None
            self._flush_all()
        elif move and socket is move.candidate:
            # Without an answer to `commit` nobody knows where the session lives: resume decides.
            if move.commit:
                self._leave_all(move.ticket)
            else:
                self._move_failed("the second connection ended")
        elif socket is self._socket:
            self._socket = None
            if move and move.candidate and (move.commit or move.candidate.is_ready):
                self._commit()
            elif move:
                self._move = None
                self._next_url, self._next_ticket = move.url, move.ticket
                if move.candidate:
                    self._spawn(move.candidate.close())
                self._go_dark(socket.code)
            else:
                self._go_dark(socket.code)
        else:
            self._flush_all()

    def _go_dark(self, code: int) -> None:
        self._dark_code = code
        self._dark.set()

    def _leave_all(self, ticket: str | None = None) -> None:
        sockets = self._sockets()
        self._socket = self._leaving = self._move = None
        self._next_ticket = ticket
        for socket in sockets:
            self._spawn(socket.close(4100))
        self._go_dark(1006)

    def _delay(self, action: str) -> float:
        if action == "window" or time.monotonic() < self._window_until:
            return random.uniform(*self._window)
        return 0.0 if self._next_ticket else backoff(self._attempt)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _give_up(self, error: Refused) -> None:
        self._is_over = True
        for channel in self.channels.values():
            for future in [channel.subscribed, *(outgoing.answer for outgoing in channel.outgoing)]:
                if not future.done():
                    future.set_exception(error)

    # ---- frames --------------------------------------------------------------------------------------------------------------

    def _on_frame(self, socket: Socket, frame: dict) -> None:
        handler = {
            "welcome": self._on_welcome,
            "sub.ok": self._on_subscribed,
            "pub": self._on_publication,
            "gap": self._on_gap,
            "diverged": self._on_diverged,
            "pub.ok": self._on_stored,
            "err": self._on_error,
            "ready": self._on_ready,
            "migrate": self._on_migrate,
            "commit.ok": self._on_committed,
            "pace": self._on_window,
            "bye": self._on_window,
            "ping": lambda from_, _: from_.send({"t": "pong"}),
        }.get(frame["t"])
        if handler:
            handler(socket, frame)
        self._advance()

    def _on_welcome(self, socket: Socket, frame: dict) -> None:
        socket.is_welcome = True
        socket.heartbeat = frame["heartbeatMs"] / 1000
        if "secret" in frame:
            self._identity = {"session": frame["session"], "secret": frame["secret"]}
        self.on_event("welcome", {key: frame[key] for key in ("pod", "g", "resumed", "prepared")})
        if socket is self._socket:
            self._next_url, self._next_ticket = self.url, None
            self._flush_all()

    def _on_ready(self, socket: Socket, _: dict) -> None:
        socket.is_ready = True
        asyncio.get_running_loop().call_later(10, self._on_steady, socket)

    def _on_steady(self, socket: Socket) -> None:
        if socket is self._socket:
            self._attempt = 0

    def _on_window(self, socket: Socket, frame: dict) -> None:
        self._window = (frame["minMs"] / 1000, frame["maxMs"] / 1000)
        if frame["t"] == "pace":
            self._window_until = time.monotonic() + frame["forMs"] / 1000

    def _on_subscribed(self, socket: Socket, frame: dict) -> None:
        channel = self._channel(frame["c"])
        given = socket.given.get(channel.name)
        if given is None:
            socket.epochs[channel.name], socket.seen[channel.name] = frame["e"], frame["o"]
            if channel.cursor is None:
                channel.cursor = (frame["e"], frame["o"])
        elif frame["recovered"]:
            socket.epochs[channel.name], socket.seen[channel.name] = given
        if not channel.subscribed.done():
            channel.subscribed.set_result(channel.cursor or given)

    def _on_publication(self, socket: Socket, frame: dict) -> None:
        channel = self._channel(frame["c"])
        epoch = frame.get("e") or socket.epochs[channel.name]
        socket.epochs[channel.name], socket.seen[channel.name] = epoch, frame["o"]
        socket.early.setdefault(channel.name, {})[frame["o"]] = frame | {"e": epoch}
        self._deliver(channel)

    def _sockets(self) -> list[Socket]:
        candidate = self._move.candidate if self._move else None
        return [socket for socket in (self._leaving, self._socket, candidate) if socket]

    def _deliver(self, channel: Channel) -> None:
        """Gives the application what comes next, from whichever connection has it."""
        sockets = self._sockets()
        found = True
        while found and channel.cursor:
            found = False
            for socket in sockets:
                early = socket.early.get(channel.name, {})
                for offset in [offset for offset in early if offset <= channel.cursor[1]]:
                    del early[offset]
                frame = early.pop(channel.cursor[1] + 1, None)
                if frame:
                    channel.cursor = (frame["e"], frame["o"])
                    self.on_message(Message(channel.name, frame["e"], frame["o"], frame["p"], frame["d"]))
                    found = True
        if len(sockets) == 1 and sockets[0].early.get(channel.name):
            self.on_event("hole", {"channel": channel.name})
            self._leave_all()

    def _on_gap(self, socket: Socket, frame: dict) -> None:
        channel = self._channel(frame["c"])
        socket.epochs[channel.name], socket.seen[channel.name] = frame["e"], frame["to"]
        if frame["why"] == "history-expired" and channel.cursor and frame["to"] <= channel.cursor[1]:
            return
        channel.cursor = (frame["e"], frame["to"])
        self.on_event("gap", frame)

    def _on_diverged(self, socket: Socket, frame: dict) -> None:
        channel = self._channel(frame["c"])
        socket.epochs[channel.name], socket.seen[channel.name] = frame["e"], frame["o"]
        epoch, last = frame["prev"]["epoch"], frame["prev"]["offset"]
        if not channel.cursor or channel.cursor[0] != epoch or channel.cursor[1] <= last:
            return
        channel.cursor = (frame["e"], frame["o"])
        for other in self._sockets():
            other.early.pop(channel.name, None)
        lost = [kept for kept in channel.kept if kept.position and kept.position[0] == epoch and kept.position[1] > last]
        channel.kept = [kept for kept in channel.kept if kept not in lost]
        channel.outgoing = lost + channel.outgoing
        self._send_again(channel)
        self.on_event("diverged", frame)

    # ---- publishing ----------------------------------------------------------------------------------------------------------

    def _channel(self, name: str) -> Channel:
        if name not in self.channels:
            self.channels[name] = Channel(name, None, asyncio.get_running_loop().create_future())
        return self.channels[name]

    def _request(self, about: tuple[Channel, Outgoing] | Channel) -> int:
        self._last_request += 1
        self._requests[self._last_request] = about
        return self._last_request

    def _ask(self, channel: Channel) -> None:
        socket = self._socket
        if socket and socket.is_welcome and channel.name not in socket.asked:
            socket.asked.add(channel.name)
            start = channel.cursor
            if start:
                socket.given[channel.name] = start
            place = {"from": {"epoch": start[0], "offset": start[1]}} if start else {}
            socket.send({"t": "sub", "i": self._request(channel), "c": channel.name} | place)

    def _flush_all(self) -> None:
        for channel in self.channels.values():
            if channel.wanted:
                self._ask(channel)
            self._flush(channel)

    def _flush(self, channel: Channel) -> None:
        socket = self._socket
        if not socket or not socket.is_welcome or not socket.is_open or (self._move and self._move.commit):
            return
        for outgoing in channel.outgoing:
            if outgoing.socket is socket:
                continue
            # The connection that is being left still owes an answer: a later message must not overtake it.
            if outgoing.socket is not None:
                return
            outgoing.socket = socket
            request = self._request((channel, outgoing))
            socket.send({"t": "pub", "i": request, "c": channel.name, "s": outgoing.number, "d": outgoing.data})

    def _send_again(self, channel: Channel) -> None:
        for outgoing in channel.outgoing:
            outgoing.socket = None
        self._flush(channel)

    def _on_stored(self, socket: Socket, frame: dict) -> None:
        about = self._requests.pop(frame["i"], None)
        if not isinstance(about, tuple):
            return
        channel, outgoing = about
        if outgoing in channel.outgoing:
            channel.outgoing.remove(outgoing)
            now = time.monotonic()
            outgoing.position, outgoing.acknowledged_at = (frame["e"], frame["o"]), now
            channel.kept = [kept for kept in channel.kept if now - kept.acknowledged_at < KEEP_ACKNOWLEDGED] + [outgoing]
            if not outgoing.answer.done():
                outgoing.answer.set_result(outgoing.position)
        self._flush(channel)

    def _on_error(self, socket: Socket, frame: dict) -> None:
        move = self._move
        if move and socket is move.candidate and (not socket.is_welcome or frame.get("i") == move.commit != 0):
            if move.commit and frame["code"] == "unavailable":
                asyncio.get_running_loop().call_later(0.25, self._send_commit)
            else:
                self._move_failed(frame["code"])
            return
        about = self._requests.pop(frame.get("i", 0), None)
        if isinstance(about, Channel):
            if frame["code"] not in RETRY and not about.subscribed.done():
                about.subscribed.set_exception(Refused(frame["code"], frame["message"]))
            elif frame["code"] in RETRY:
                socket.asked.discard(about.name)
                asyncio.get_running_loop().call_later(frame.get("afterMs", 1000) / 1000, self._ask, about)
        elif about is not None and about[1] in about[0].outgoing:
            self._on_refused(socket, *about, frame)

    def _on_refused(self, socket: Socket, channel: Channel, outgoing: Outgoing, frame: dict) -> None:
        code = frame["code"]
        if code == "out-of-order" and channel.outgoing[0].number > frame["last"] + 1:
            self._start_numbering_again()
        elif code == "out-of-order" or (code == "fenced" and socket is not self._socket):
            self._send_again(channel)
        elif code in ("unavailable", "rate-limited"):
            asyncio.get_running_loop().call_later(frame.get("afterMs", 1000) / 1000, self._send_again, channel)
        elif code == "fenced":
            self._start_numbering_again()
        else:
            channel.outgoing.remove(outgoing)
            channel.last_number -= 1
            for later in channel.outgoing:
                later.number -= 1 if later.number > outgoing.number else 0
            outgoing.answer.set_exception(Refused(code, frame["message"]))
            self._send_again(channel)

    def _start_numbering_again(self) -> None:
        self.producer = {"id": self.producer["id"], "gen": self.producer["gen"] + 1}
        for channel in self.channels.values():
            channel.kept.clear()
            for number, outgoing in enumerate(channel.outgoing, start=1):
                outgoing.number = number
            channel.last_number = len(channel.outgoing)
        self._leave_all()

    # ---- moving --------------------------------------------------------------------------------------------------------------

    def _on_migrate(self, socket: Socket, frame: dict) -> None:
        if socket is not self._socket or self._leaving or (self._move and self._move.commit):
            return
        if self._move:
            self._move_failed("another move was asked for")
        url = named_url(frame.get("url", self.url), frame["pod"], frame["ticket"])
        self._move = Move(frame["id"], url, frame["ticket"], time.monotonic() + frame["deadlineMs"] / 1000 * 0.9)
        self.on_event("migrate", {"to": frame["pod"]})
        self._spawn(self._prepare(self._move))

    async def _prepare(self, move: Move) -> None:
        try:
            candidate = await self._open(move.url, self._hello(ticket=move.ticket, prepare=True))
        except Exception as error:  # whatever it was: the old connection is still there
            if self._move is move:
                self._move_failed(repr(error))
            return
        if self._move is not move:
            await candidate.close()
            return
        move.candidate = candidate
        self._advance()
        await asyncio.sleep(max(0.0, move.deadline - time.monotonic()))
        if self._move is move and not move.commit:
            self._move_failed("timeout")

    def _advance(self) -> None:
        """Commits once the second connection has everything that the application has."""
        move = self._move
        candidate = move.candidate if move else None
        if not move or move.commit or not candidate or not candidate.is_ready or not self._socket:
            return
        placed = [c for c in self.channels.values() if c.wanted and c.cursor and c.name in candidate.given]
        if all(candidate.seen.get(c.name, -1) >= c.cursor[1] for c in placed if c.cursor):
            self._commit()

    def _commit(self) -> None:
        move = self._move
        if move and move.candidate and not move.commit:
            self._last_request += 1
            move.commit = self._last_request
            self._send_commit()
            asyncio.get_running_loop().call_later(REQUEST_TIMEOUT, self._commit_unanswered, move)

    def _send_commit(self) -> None:
        if self._move and self._move.candidate:
            self._move.candidate.send({"t": "commit", "i": self._move.commit})

    def _commit_unanswered(self, move: Move) -> None:
        if self._move is move:
            self._leave_all(move.ticket)

    def _on_committed(self, socket: Socket, frame: dict) -> None:
        if not self._move or socket is not self._move.candidate:
            return
        self._leaving, self._socket, self._move = self._socket, socket, None
        self.on_event("moved", {"g": frame["g"]})
        for channel in list(self.channels.values()):
            self._deliver(channel)
        self._flush_all()
        if self._leaving:
            self._spawn(self._leave(self._leaving))

    async def _leave(self, socket: Socket) -> None:
        """Waits for what the old connection still owes, then closes it; what has no answer is sent again by `_on_closed`."""
        end = time.monotonic() + REQUEST_TIMEOUT
        while socket.is_open and time.monotonic() < end:
            if not any(outgoing.socket is socket for channel in self.channels.values() for outgoing in channel.outgoing):
                break
            await asyncio.sleep(0.01)
        await socket.close()

    def _move_failed(self, why: str) -> None:
        move, self._move = self._move, None
        if not move:
            return
        self.on_event("move failed", {"why": why})
        if move.candidate:
            self._spawn(move.candidate.close())
        if self._socket:
            self._socket.send({"t": "migrate.fail", "id": move.id, "why": why})
            self._flush_all()
        else:
            self._next_ticket = move.ticket
            self._go_dark(1006)
