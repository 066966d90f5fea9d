"""Whether the services that this installation needs answer: its database and message broker.

``redis`` is imported where it is used, because that takes long and small installations do without.
"""

import os

import kombu
from django.conf import settings
from django.db import connection

TIMEOUT = 2
"""Seconds a service may take to answer."""


def database() -> None:
    """Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def broker() -> None:
    """The message broker, and the channel layer if it is Redis."""
    url = settings.CELERY_BROKER_URL
    if url.startswith("filesystem"):
        folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"]
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} is not writable")
    else:
        with kombu.Connection(url, connect_timeout=TIMEOUT) as link:
            link.ensure_connection(max_retries=1, timeout=TIMEOUT)
    if settings.REDIS_URL and url != settings.REDIS_URL:
        import redis

        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
        ) as client:
            client.ping()


def cache_failures() -> tuple[type[Exception], ...]:
    """What the cache raises when it does not answer."""
    if not settings.REDIS_URL:
        return ()  # it is in memory
    import redis

    return (redis.RedisError,)
