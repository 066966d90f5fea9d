"""WebSockets for signed-in staff: same origin only, and rights are checked again while open.

Browsers send cookies with a WebSocket whichever page opened it, so only the Origin header tells our
page from another site's. It is compared with the host and port of the request.
"""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from http.cookies import CookieError
from importlib import import_module
from typing import Any, ClassVar, Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie
from uvicorn.protocols.utils import ClientDisconnected

from kallglot_site import executors
from kallglot_site.accounts.models import User
from kallglot_site.executors import BoundedExecutor, ExecutorFull

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

SIGNED_OUT: Final = 4401
NOT_ALLOWED: Final = 4403
NO_SUCH_OBJECT: Final = 4404
SERVER_FAULT: Final = 1011
"""The page should connect again."""
TRY_AGAIN_LATER: Final = 1013
"""More pages read from the database than may wait for it. The page should connect again."""


async def in_database(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work`` in a thread for staff sockets. Raises ExecutorFull: close with 1013."""
    return await in_database_of(executors.STAFF_SOCKETS, work, *args, **kwargs)


async def in_database_of(
    executor: BoundedExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run ``work``, which uses the database, in a thread of ``executor``."""
    pool: Any = executor  # annotated as ThreadPoolExecutor; any Executor serves
    call: Any = database_sync_to_async(work, thread_sensitive=False, executor=pool)
    result: T = await call(*args, **kwargs)
    return result


class StaffSocket(AsyncJsonWebsocketConsumer, ABC):
    """A WebSocket of a dashboard page.

    ``admit`` of a subclass decides who may use it. ``serve`` does the work, in a task that is
    cancelled when the socket closes. ``admit`` is called again every ``recheck_every``
    seconds: signing out, a changed password, a closed account or a lost membership close the socket
    within that time.
    """

    recheck_every: ClassVar[float] = 5.0
    user: User

    @abstractmethod
    async def admit(self, user: User) -> int | None:
        """None if ``user`` may use the socket, else the close code. Called repeatedly."""

    @abstractmethod
    async def serve(self) -> int:
        """The work of the open socket. Returns the close code."""

    async def connect(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        if not same_origin(self.scope):
            await self.close()  # before accepting: the other site gets a 403
            return
        # Accept before other refusals, so that our page gets the close code.
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
        except ClientDisconnected:  # the browser left while a message was being sent
            return
        except ExecutorFull:
            code = TRY_AGAIN_LATER
        except Exception:  # otherwise the page would wait without an error
            log.exception("A dashboard WebSocket failed")
            code = SERVER_FAULT
        await self._close(code)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.recheck_every)
            try:
                refusal = await self._refusal()
            except Exception:  # close if rights are unknown; the page reconnects
                log.exception("The rights for a dashboard WebSocket could not be checked")
                refusal = SERVER_FAULT
            if refusal is not None:
                self._tasks[0].cancel()
                await self._close(refusal)
                return

    async def _close(self, code: int) -> None:
        # The browser may close it at the same time.
        with contextlib.suppress(RuntimeError):
            await self.close(code)

    async def _refusal(self) -> int | None:
        try:
            user = await in_database(user_of, self.scope)
            if user is None:
                return SIGNED_OUT
            self.user = user
            return await self.admit(user)
        except ExecutorFull:
            return TRY_AGAIN_LATER


def _header(scope: Mapping[str, Any], name: bytes) -> str:
    return next((value.decode("latin1") for key, value in scope["headers"] if key == name), "")


def same_origin(scope: Mapping[str, Any]) -> bool:
    """Whether our own page asks: the Origin has the host and port of the request.

    The installation's public URL is accepted too, for proxies that rewrite Host.
    """
    origin = urlsplit(_header(scope, b"origin"))
    if origin.scheme not in {"http", "https"} or not origin.netloc:
        return False
    if f"{origin.scheme}://{origin.netloc}" in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return origin.netloc.lower() == _header(scope, b"host").lower()


def user_of(scope: Mapping[str, Any]) -> User | None:
    """The user of the session cookie, from the database. None after signing out."""
    try:
        cookies = parse_cookie(_header(scope, b"cookie"))
    except CookieError:
        return None
    request = HttpRequest()
    engine = import_module(settings.SESSION_ENGINE)
    request.session = engine.SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
    # get_user also checks the session's password hash: a changed password ends other sessions.
    user = get_user(request)
    return user if isinstance(user, User) and user.is_active else None
