"""A pipe to a WebSocket with `websockets`: lines of the input are sent, what comes is told in JSON lines."""

import asyncio
import json
import sys
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def send_input(connection: ClientConnection) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await connection.send(line.rstrip("\n"))
    await connection.close(1000, "done")


async def main() -> None:
    subprotocols = sys.argv[2:] or None
    try:
        connection = await connect(sys.argv[1], subprotocols=subprotocols, max_size=None)  # type: ignore[arg-type]
    except InvalidStatus as refusal:
        say(event="refused", status=refusal.response.status_code)
        return
    say(event="open", subprotocol=connection.subprotocol or "")
    sending = asyncio.ensure_future(send_input(connection))
    try:
        while True:
            say(event="frame", frame=json.loads(await connection.recv()))
    except ConnectionClosed:
        say(event="closed", code=connection.close_code, reason=connection.close_reason)
    sending.cancel()


asyncio.run(main())
