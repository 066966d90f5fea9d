"""Starts an installed Firefox that Playwright can drive: ``-m tests.browser.firefox PATH …``.

Playwright drives a stock Firefox over WebDriver BiDi. For each window it sends a command that sets
the theme, ``emulation.setMediaFeaturesOverride``, and fails if the browser does not know it.
Firefox ESR 153 does not. This program starts Firefox, relays the messages in between, and answers
that command itself. Remove it when Firefox ESR knows the command.

Playwright reads the connection's address from standard error.
"""

import asyncio
import json
import re
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

MISSING_COMMAND = "emulation.setMediaFeaturesOverride"
_LISTENING = re.compile(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)")


async def relay(playwright: ServerConnection, firefox: ClientConnection) -> None:
    async def to_firefox() -> None:
        async for text in playwright:
            message = json.loads(text)
            if message["method"] == MISSING_COMMAND:
                answer = {"type": "success", "id": message["id"], "result": {}}
                await playwright.send(json.dumps(answer))
            else:
                await firefox.send(text)

    async def to_playwright() -> None:
        async for text in firefox:
            await playwright.send(text)

    await asyncio.gather(to_firefox(), to_playwright())


async def main() -> int:
    process = await asyncio.create_subprocess_exec(
        *sys.argv[1:], stderr=asyncio.subprocess.PIPE, limit=2**20
    )
    assert process.stderr is not None
    async for line in process.stderr:
        if found := _LISTENING.search(line.decode(errors="replace")):
            break
    else:
        return await process.wait()

    async def accept(playwright: ServerConnection) -> None:
        url = f"ws://127.0.0.1:{found[1]}{playwright.request.path}"
        async with connect(url, max_size=None, proxy=None) as firefox:
            await relay(playwright, firefox)

    async with serve(accept, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"WebDriver BiDi listening on ws://127.0.0.1:{port}", file=sys.stderr, flush=True)
        async for _ in process.stderr:  # a full pipe would stop Firefox
            pass
    return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
