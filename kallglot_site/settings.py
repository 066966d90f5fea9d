"""Django settings. ``env.py`` declares the values that an operator may change."""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured

from kallglot_site import env as environment
from kallglot_site.version import VERSION

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = environment.read()

ENVIRONMENT: str = ENV["KALLGLOT_ENVIRONMENT"]
PRODUCTION = ENVIRONMENT == "production"
DEBUG: bool = ENV["KALLGLOT_DEBUG"]
DATA_DIR = Path(ENV["KALLGLOT_DATA_DIR"]).expanduser().absolute()


def _data_folder(*names: str) -> Path:
    """A folder in the data directory, created if missing. Raises ImproperlyConfigured."""
    folder = DATA_DIR.joinpath(*names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"KALLGLOT_DATA_DIR: cannot make {folder}: {error.strerror}. "
            "Set it to a folder that this user can write to."
        ) from None
    return folder


_data_folder()


def _generated_secret_key(path: Path) -> str:
    """The key in the data directory, created at the first start. O_EXCL: only by one process."""
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"KALLGLOT_DATA_DIR: cannot read or write {path}: {error.strerror}. "
            "Give this user access to it, or set KALLGLOT_SECRET_KEY."
        ) from None
    with os.fdopen(descriptor, "w") as file:
        file.write(key := secrets.token_urlsafe(64))
        file.flush()
        os.fsync(file.fileno())
    return key


SECRET_KEY: str = ENV["KALLGLOT_SECRET_KEY"] or _generated_secret_key(DATA_DIR / "secret_key")
SECRET_KEY_FALLBACKS: list[str] = ENV["KALLGLOT_SECRET_KEY_FALLBACKS"]

LOGGING_CONFIG = "kallglot_site.log_config.logging_configure"
LOGGING = {"level": ENV["KALLGLOT_LOG_LEVEL"], "format": ENV["KALLGLOT_LOG_FORMAT"]}

# --- Web -----------------------------------------------------------------------------------------

PUBLIC_URL: str = ENV["KALLGLOT_PUBLIC_URL"]
STREAM_URL: str = ENV["KALLGLOT_STREAM_URL"]
TRUSTED_PROXIES: list[str] = ENV["KALLGLOT_TRUSTED_PROXIES"]
ALLOWED_HOSTS: list[str] = ENV["KALLGLOT_ALLOWED_HOSTS"] or [
    "localhost",
    "127.0.0.1",
    "[::1]",
    *(
        host
        for url in (PUBLIC_URL, STREAM_URL)
        if (host := urlsplit(url).hostname) and host not in {"localhost", "127.0.0.1"}
    ),
]
ROOT_URLCONF = "kallglot_site.urls"
ASGI_APPLICATION = "kallglot_site.asgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    # Does not import every app's admin at each start: ``urls`` does, where it is needed.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "axes",
    "kallglot_site",
    "kallglot_site.accounts",
    "kallglot_site.api",
    "webhooks_app",
    "sessions_app",
    "sessions_app.agents",
    "recordings_app",
    "analysis_app",
]

MIDDLEWARE = [
    "kallglot_site.api.middleware.RequestIdMiddleware",
    "kallglot_site.api.middleware.ProxyMiddleware",
    "kallglot_site.api.middleware.NullPathMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "kallglot_site.api.middleware.PublicCompressionMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "kallglot_site.accounts.dashboard.middleware.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "kallglot_site.accounts.dashboard.middleware.TimeZoneMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "kallglot_site.accounts.dashboard.context.dashboard",
                "kallglot_site.version.version_context",
            ],
        },
    },
]

STATIC_URL = "/static/"
STATIC_ROOT = _data_folder("static")
STATICFILES_DIRS = [BASE_DIR / "static"]
# Static files are served from the source folders, so collectstatic is not needed.
WHITENOISE_USE_FINDERS = True
# Files in a folder whose name has a version, such as htmx-2.0.11/, never change.
WHITENOISE_IMMUTABLE_FILE_TEST = r"-\d+\.\d+\.\d+/"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
# ProxyMiddleware drops the header unless it comes from a trusted proxy.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
# A year, and for this host only: other hosts of the domain may not support HTTPS.
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_REFERRER_POLICY = "same-origin"

LANGUAGE_CODE = "en"
TIME_ZONE: str = ENV["KALLGLOT_TIME_ZONE"]
USE_TZ = True

# --- Accounts ------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/dashboard/"
LOGOUT_REDIRECT_URL = "/login"
SIGN_IN_FAILURES_PER_ADDRESS: int = ENV["KALLGLOT_SIGN_IN_FAILURES_PER_ADDRESS"]
AXES_HANDLER = "kallglot_site.accounts.dashboard.lockout.LockoutHandler"
AXES_CLIENT_IP_CALLABLE = "kallglot_site.accounts.dashboard.lockout.address"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
# Attempts during a lock do not extend it, so it ends at the time that its page shows.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_VERBOSE = False
AXES_USERNAME_FORM_FIELD = "username"  # by default it would look for a field "email"
AXES_USERNAME_CALLABLE = "kallglot_site.accounts.dashboard.lockout.username"
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"

# --- Email ---------------------------------------------------------------------------------------

# Email is used for password resets only. Without a mail server, admins make reset links.
_email: dict[str, Any] = environ.Env.email_url_config(ENV["EMAIL_URL"]) if ENV["EMAIL_URL"] else {}
EMAIL_BACKEND: str = _email.get("EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend")
EMAIL_HOST: str = _email.get("EMAIL_HOST") or ""
EMAIL_PORT: int = _email.get("EMAIL_PORT") or 25
EMAIL_HOST_USER: str = _email.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD: str = _email.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS: bool = bool(_email.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL: bool = bool(_email.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = ENV["EMAIL_FROM"]

# --- Database ------------------------------------------------------------------------------------

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = dict(environ.Env.db_url_config(url))
    config["CONN_MAX_AGE"] = 60
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            ),
        }
        # Each connection to an in-memory database has its own, so threads need a file.
        config["TEST"] = {"NAME": str(DATA_DIR / f"test-{os.getpid()}.sqlite3")}
    else:
        config["CONN_HEALTH_CHECKS"] = True
        config.setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
    return config


DATABASES = {
    "default": _database(ENV["DATABASE_URL"] or f"sqlite:///{DATA_DIR / 'kallglot.sqlite3'}")
}

# --- Services ------------------------------------------------------------------------------------

REDIS_URL: str = ENV["REDIS_URL"]
REDIS_PREFIX: str = ENV["KALLGLOT_REDIS_PREFIX"]
METRICS_TOKEN: str = ENV["KALLGLOT_METRICS_TOKEN"]

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": (
        {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL], "prefix": REDIS_PREFIX},
        }
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1000}}
    )
}

CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": REDIS_PREFIX,
            "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
        }
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

CELERY_BROKER_URL: str = ENV["CELERY_BROKER_URL"] or REDIS_URL or "filesystem://localhost"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Sweeps find work whose message was lost. With nothing to do, each is one indexed query.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # Every message expires, so that they do not accumulate without a worker.
    "end-idle-sessions": {
        "task": "sessions_app.tasks.end_idle_sessions",
        "schedule": 15.0,
        "options": {"expires": 15.0},
    },
    "complete-abandoned-transcripts": {
        "task": "sessions_app.tasks.complete_abandoned_transcripts",
        "schedule": 2.0,
        "options": {"expires": 5.0},
    },
    "api-sweep": {
        "task": "kallglot_site.api.tasks.api_sweep",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "refresh-statistics": {
        "task": "kallglot_site.tasks.refresh_statistics",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "dispatch-webhooks": {
        "task": "webhooks_app.tasks.dispatch",
        "schedule": 1.0,
        "options": {"expires": 5.0},
    },
    "tidy-webhooks": {
        "task": "webhooks_app.tasks.tidy",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "analyze-due": {
        "task": "analysis_app.tasks.analyze_due",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "read-documents": {
        "task": "sessions_app.agents.tasks.read_documents_due",
        "schedule": 2.0,
        "options": {"expires": 5.0},
    },
    "make-vectors": {
        "task": "sessions_app.agents.tasks.make_vectors_due",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "translate-due": {
        "task": "sessions_app.tasks.translate_due",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "purge-old-events": {
        "task": "webhooks_app.tasks.purge",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "assemble-recordings": {
        "task": "recordings_app.tasks.assemble_due",
        "schedule": 2.0,
        "options": {"expires": 5.0},
    },
    "make-recording-variants": {
        "task": "recordings_app.tasks.make_variants_due",
        "schedule": 2.0,
        "options": {"expires": 5.0},
    },
    "delete-recordings": {
        "task": "recordings_app.tasks.delete_due",
        "schedule": 30.0,
        "options": {"expires": 30.0},
    },
    "sweep-recordings": {
        "task": "recordings_app.tasks.sweep_leftovers",
        "schedule": 30.0,
        "options": {"expires": 30.0},
    },
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TASK_TIME_LIMIT = 6 * 3600
if CELERY_BROKER_URL.startswith("filesystem"):
    CELERY_BROKER_TRANSPORT = "kallglot_site.broker:Transport"
    _queue = str(_data_folder("broker", "queue"))
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "data_folder_in": _queue,
        "data_folder_out": _queue,
        "control_folder": str(_data_folder("broker", "control")),
        "polling_interval": 0.2,
    }
else:
    # Give up on a slow broker quickly: the sweep finds the row.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "visibility_timeout": 7 * 3600,
        "max_retries": 1,
        "interval_start": 0.1,
    }
    if CELERY_BROKER_URL.startswith("redis"):
        CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = f"{REDIS_PREFIX}:"


def _storage(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": parts.path, "file_permissions_mode": 0o600},
        }
    query = dict(parse_qsl(parts.query))
    options = {
        "bucket_name": parts.hostname,
        "location": parts.path.strip("/"),
        "endpoint_url": query.get("endpoint"),
        "region_name": query.get("region"),
        "access_key": parts.username,
        "secret_key": parts.password,
        "querystring_auth": True,
        "querystring_expire": 3600,
        "default_acl": None,
        "signature_version": "s3v4",
    }
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {name: value for name, value in options.items() if value is not None},
    }


STORAGE_URL: str = ENV["STORAGE_URL"] or f"file://{DATA_DIR / 'media'}"
STORAGES = {
    "default": _storage(STORAGE_URL),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- Engines, streaming, webhooks, retention -----------------------------------------------------

HF_ENDPOINT: str = ENV["HF_ENDPOINT"]
HF_TOKEN: str = ENV["HF_TOKEN"]
TRANSCRIBER_URL: str = ENV["TRANSCRIBER_URL"]
TRANSLATOR_URL: str = ENV["TRANSLATOR_URL"]
SYNTHESIZER_URL: str = ENV["SYNTHESIZER_URL"]
RESPONDER_URL: str = ENV["RESPONDER_URL"]
EMBEDDER_URL: str = "" if ENV["EMBEDDER_URL"] == "none" else ENV["EMBEDDER_URL"]
ANALYZER_URL: str = ENV["ANALYZER_URL"]

STREAM_TOKEN_TTL: float = ENV["KALLGLOT_STREAM_TOKEN_TTL"]
STREAM_SILENCE: float = ENV["KALLGLOT_STREAM_SILENCE"]
SESSION_IDLE_TIMEOUT: float = ENV["KALLGLOT_SESSION_IDLE_TIMEOUT"]
DRAIN_TIMEOUT: float = ENV["KALLGLOT_DRAIN_TIMEOUT"]
CLIENT_READ_RATE: int = ENV["KALLGLOT_CLIENT_READ_RATE"]
CLIENT_READ_WINDOW: float = ENV["KALLGLOT_CLIENT_READ_WINDOW"]
MAX_STREAMS: int = ENV["KALLGLOT_MAX_STREAMS"]

WEBHOOK_ALLOW_PRIVATE: bool = ENV["KALLGLOT_WEBHOOK_ALLOW_PRIVATE"]
WEBHOOK_PROXY: str = ENV["KALLGLOT_WEBHOOK_PROXY"]
WEBHOOK_DISPATCHERS: int = ENV["KALLGLOT_WEBHOOK_DISPATCHERS"]

EVENT_RETENTION_DAYS: int = ENV["KALLGLOT_EVENT_RETENTION_DAYS"]
RECORDING_RETENTION_DAYS: int = ENV["KALLGLOT_RECORDING_RETENTION_DAYS"]
MEDIA_KEY: str = ENV["KALLGLOT_MEDIA_KEY"]
SPOOL_UPLOAD: bool = {"true": True, "false": False}.get(
    ENV["KALLGLOT_SPOOL_UPLOAD"], STORAGE_URL.startswith("s3://")
)

# --- REST ----------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["kallglot_site.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["kallglot_site.api.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["kallglot_site.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["kallglot_site.api.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "kallglot_site.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "kallglot_site.api.schema.V1Schema",
    "EXCEPTION_HANDLER": "kallglot_site.api.errors.exception_handler",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "kallglot_site.api.renderers.AlwaysJSON",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Kallglot API",
    "VERSION": VERSION,
    "DESCRIPTION": (
        "Live transcripts, translations, recordings and analyses of telephone calls. "
        "Every error has the same envelope, and its `doc_url` leads to a page that says what to do."
    ),
    "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "SCHEMA_PATH_PREFIX": "/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": ["kallglot_site.api.schema.finish_schema"],
}
