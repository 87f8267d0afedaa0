"""Follows a channel and publishes to it; prints one JSON object per event. Ends when its input ends.

    python follow.py ws://127.0.0.1:8080/ws room --user ann --publish 10 --every 0.1
"""

import argparse
import asyncio
import json
import sys
from typing import Any

from records import Message
from wscluster import Client


def say(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event} | facts), flush=True)


def on_message(message: Message) -> None:
    say("message", channel=message.channel, offset=message.offset, publisher=message.publisher, data=message.data)


async def publish(client: Client, channel: str, user: str, count: int, every: float) -> None:
    answers = []
    for number in range(1, count + 1):
        data = {"id": f"{user}:{number}", "seq": number}
        say("publishing", **data)
        answers.append(asyncio.ensure_future(publish_one(client, channel, data)))
        await asyncio.sleep(every)
    await asyncio.gather(*answers)
    say("published")


async def publish_one(client: Client, channel: str, data: dict) -> None:
    epoch, offset = await client.publish(channel, data)
    say("stored", epoch=epoch, offset=offset, **data)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("channel")
    parser.add_argument("--user", default="python")
    parser.add_argument("--publish", type=int, default=0, help="how many messages to publish")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two messages")
    options = parser.parse_args()
    client = Client(options.url, options.user, on_message=on_message, on_event=lambda name, facts: say(name, **facts))
    running = asyncio.ensure_future(client.run())
    _, top = await client.subscribe(options.channel)
    say("subscribed", offset=top)
    publishing = asyncio.ensure_future(publish(client, options.channel, options.user, options.publish, options.every))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    publishing.cancel()
    await client.close()
    await running


if __name__ == "__main__":
    asyncio.run(main())
