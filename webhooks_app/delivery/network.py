"""Connects to receivers, only to addresses that were checked.

httpx has no hook between resolving a name and connecting; httpcore, which it is built on, has one.
So deliveries use httpcore directly. TLS still verifies the *name*, and ``Host`` still has it.
"""

import asyncio
import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

from webhooks_app.delivery.addresses import is_public
from webhooks_app.delivery.urls import resolve

CONNECT_TIMEOUT = 10.0  # seconds for all addresses of a name together


class BlockedAddress(Exception):
    """At least one address of the name is not public."""


class UnknownHost(Exception):
    """The name service has no address for the name."""


class Resolver:
    """Looks names up in its own threads; one lookup of a name serves all that wait for it.

    A name server that hangs then holds one thread, however many deliveries go there.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=64, thread_name_prefix="webhook-names")
        self._running: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """Raises UnknownHost."""
        key = (host, port)
        lookup = self._running.get(key)
        if lookup is None:
            lookup = asyncio.get_running_loop().run_in_executor(self._threads, resolve, host, port)
            self._running[key] = lookup
            lookup.add_done_callback(lambda done: self._forget(key, done))
        try:
            return await asyncio.shield(lookup)
        except (OSError, UnicodeError) as error:
            raise UnknownHost(f"{host}: {_plain(error)}") from error

    def _forget(self, key: tuple[str, int], lookup: "asyncio.Future[list[str]]") -> None:
        self._running.pop(key, None)
        if not lookup.cancelled():
            lookup.exception()  # read it: there may be no waiter left, and asyncio would log it

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _plain(error: Exception) -> str:
    return error.strerror or "" if isinstance(error, socket.gaierror) else type(error).__name__


async def check_host(resolver: Resolver, host: str, port: int) -> list[str]:
    """The addresses of a host if *every* one is public. Raises BlockedAddress, UnknownHost."""
    addresses = await resolver(host, port)
    if not addresses:
        raise UnknownHost(f"{host}: no address")
    if not all(is_public(address) for address in addresses):
        raise BlockedAddress(f"{host} leads to an address that is not public")
    return addresses


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves once, checks every address, then connects to one of these addresses."""

    def __init__(self, resolver: Resolver, *, allow_private: bool) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        self._dial = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if self._allow_private:
            addresses = await self._resolver(host, port)
        else:
            addresses = await check_host(self._resolver, host, port)
        until = time.monotonic() + (timeout or CONNECT_TIMEOUT)
        failure: Exception = UnknownHost(host)
        for position, address in enumerate(addresses):
            # The addresses left share the time left, so a dead one leaves some for the next.
            left = (until - time.monotonic()) / (len(addresses) - position)
            if left <= 0:
                break
            try:
                return await self._dial.connect_tcp(
                    address,
                    port,
                    timeout=left,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface's own
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise BlockedAddress("deliveries never go to a local socket")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
