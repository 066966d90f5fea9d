"""Which certificates the caller trusts, and how a refused one is explained."""

import ssl
from pathlib import Path

import httpx

from kallglot_site.caller.errors import CallFailed


def tls_context(cacert: Path | None) -> ssl.SSLContext:
    """Trust the authorities in ``cacert`` (a PEM file).

    Without it: those of SSL_CERT_FILE or SSL_CERT_DIR, else the public ones and the system's.
    Raises CallFailed when a file cannot be read.
    """
    try:
        if cacert is not None:
            return ssl.create_default_context(cafile=cacert)
        context = httpx.create_ssl_context()
    except OSError as error:
        source = f"--cacert {cacert}" if cacert else "SSL_CERT_FILE or SSL_CERT_DIR"
        raise CallFailed(f"{source} cannot be read: {error}.") from None
    context.load_default_certs()
    return context


def tls_fault(error: BaseException, url: str) -> str | None:
    """What was wrong with the server's certificate, if that is why ``error`` was raised."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {url} is not trusted: {cause.verify_message}. If a private "
                "certificate authority issued it, name that authority's file with --cacert FILE "
                "or in SSL_CERT_FILE."
            )
        if isinstance(cause, ssl.SSLError):
            return f"TLS with {url} failed: {cause.reason or cause}."
        cause = cause.__cause__ or cause.__context__
    return None
