"""Two installations may share a Redis: every name in it begins with the installation's own."""

import subprocess

import redis

from tests.e2e.server import MANAGE, ROOT, clean_environment, own_keys
from tests.requirements import needs_redis

WRITE = """
from django.conf import settings
from django.core.cache import cache
from kallglot_site.api.throttle_stores import RedisStore
from kallglot_site.celery import app

app.send_task("anything")
cache.set("key", 1)
RedisStore(settings.REDIS_URL).increment("name", 7)
print(settings.CHANNEL_LAYERS["default"]["CONFIG"]["prefix"])
"""


@needs_redis
def test_queue_cache_limits_and_channels_are_the_installations_own(redis_url, tmp_path):
    with own_keys(redis_url) as mine, redis.Redis.from_url(redis_url) as client:
        prefix = mine["KALLGLOT_REDIS_PREFIX"]
        done = subprocess.run(
            [*MANAGE, "shell", "--no-imports", "-c", WRITE],
            env=clean_environment(tmp_path, **mine),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert done.stdout.strip() == prefix
        written = {key.decode() for key in client.scan_iter(f"{prefix}*")}
        assert {f"{prefix}:celery", f"{prefix}:1:key", f"{prefix}:rate:name:7"} <= written
    assert list(client.scan_iter(f"{prefix}*")) == []
