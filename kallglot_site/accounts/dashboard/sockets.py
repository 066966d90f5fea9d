"""WebSockets for signed-in staff: same origin only, and rights asked again while they are open.

A WebSocket carries the cookies of the browser whatever page opened it, so the Origin header is the
only thing that tells our page from a stranger's. It is compared with the very host and port asked.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http.cookies import CookieError
from importlib import import_module
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from kallglot_site.accounts.models import User

log = logging.getLogger(__name__)

SIGNED_OUT: Final = 4401
NOT_ALLOWED: Final = 4403
NO_SUCH_OBJECT: Final = 4404
SERVER_FAULT: Final = 1011
"""The page is to connect again."""


class StaffSocket(AsyncJsonWebsocketConsumer, ABC):
    """A socket of a dashboard page.

    Subclasses say in ``admit`` whether the person may be here, and do their work in ``serve``,
    a task that is cancelled when the socket closes. ``admit`` is asked again every
    ``recheck_every`` seconds: signing out, a changed password, a closed account and a lost
    membership all close the socket within that time.
    """

    recheck_every: ClassVar[float] = 5.0
    user: User

    @abstractmethod
    async def admit(self, user: User) -> int | None:
        """None if ``user`` may stay, else the close code. Asked on connecting and ever again."""

    @abstractmethod
    async def serve(self) -> int:
        """The socket's work, once it is open. Returns the code to close it with."""

    async def connect(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        if not same_origin(self.scope):
            await self.close()  # before accepting: the stranger's page gets a plain 403
            return
        # Other refusals come after accepting, so that our own page sees the code.
        await self.accept()
        refusal = await self._refusal()
        if refusal is not None:
            await self.close(refusal)
            return
        self._tasks = [
            asyncio.create_task(self._serve_and_close()),
            asyncio.create_task(self._watch()),
        ]

    async def disconnect(self, code: int) -> None:
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()

    async def _serve_and_close(self) -> None:
        try:
            code = await self.serve()
        except Exception:  # else the page would stay open, and silent
            log.exception("a socket of the dashboard failed")
            code = SERVER_FAULT
        await self._close(code)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.recheck_every)
            try:
                refusal = await self._refusal()
            except Exception:  # nobody stays whom we cannot ask about; the page comes back
                log.exception("rights to a socket of the dashboard could not be checked")
                refusal = SERVER_FAULT
            if refusal is not None:
                self._tasks[0].cancel()
                await self._close(refusal)
                return

    async def _close(self, code: int) -> None:
        # The other side may have gone in the same moment.
        with contextlib.suppress(RuntimeError):
            await self.close(code)

    async def _refusal(self) -> int | None:
        user = await database_sync_to_async(user_of, thread_sensitive=False)(self.scope)
        if user is None:
            return SIGNED_OUT
        self.user = user
        return await self.admit(user)


def _header(scope: Mapping[str, Any], name: bytes) -> str:
    return next((value.decode("latin1") for key, value in scope["headers"] if key == name), "")


def same_origin(scope: Mapping[str, Any]) -> bool:
    """Whether our own page asks: the Origin names the host (and port) that was asked.

    Behind a proxy that rewrites Host, the installation's public URL counts as well.
    """
    origin = urlsplit(_header(scope, b"origin"))
    if origin.scheme not in {"http", "https"} or not origin.netloc:
        return False
    if f"{origin.scheme}://{origin.netloc}" in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return origin.netloc.lower() == _header(scope, b"host").lower()


def user_of(scope: Mapping[str, Any]) -> User | None:
    """The signed-in person of the socket's cookie, read from the store: None once signed out."""
    try:
        cookies = parse_cookie(_header(scope, b"cookie"))
    except CookieError:
        return None
    request = HttpRequest()
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
    # Checks the session's password hash too: a changed password signs other devices out.
    user = get_user(request)
    return user if isinstance(user, User) and user.is_active else None
