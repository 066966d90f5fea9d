"""Standard verifiers accept our signatures and reject forged ones."""

import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks_app import signing

BODY = b'{"id":"evt_1","text":"\xc3\xa9t\xc3\xa9"}'


def headers(*secrets, body=BODY, timestamp=None):
    return signing.signature_headers(
        body, event_id="evt_1", timestamp=timestamp or int(time.time()), secrets=secrets
    )


def test_a_secret_is_whsec_and_the_base64_of_32_bytes():
    secret = signing.secret_generate()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_the_standard_verifier_accepts_a_delivery():
    secret = signing.secret_generate()
    assert Webhook(secret).verify(BODY, headers(secret))["id"] == "evt_1"


def test_during_a_rotation_both_secrets_verify():
    old, new = signing.secret_generate(), signing.secret_generate()
    signed = headers(new, old)
    assert Webhook(old).verify(BODY, signed)
    assert Webhook(new).verify(BODY, signed)


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (BODY.replace(b"evt_1", b"evt_2"), {}),
        (BODY, {"webhook-id": "evt_2"}),
        (BODY, {"webhook-timestamp": str(int(time.time()) + 1)}),
        (BODY, {"webhook-signature": "v1," + base64.b64encode(b"x" * 32).decode()}),
    ],
    ids=["body", "id", "timestamp", "signature"],
)
def test_the_standard_verifier_rejects_what_was_altered(body, change):
    secret = signing.secret_generate()
    signed = headers(secret, timestamp=int(time.time())) | change
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, signed)


@pytest.mark.parametrize("shift", [-301, 301])
def test_the_standard_verifier_rejects_a_delivery_replayed_or_dated_ahead(shift):
    secret = signing.secret_generate()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers(secret, timestamp=int(time.time()) + shift))


def test_the_standard_verifier_rejects_another_secret():
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.secret_generate()).verify(BODY, headers(signing.secret_generate()))


def test_the_own_signature_uses_the_secret_as_it_is_shown():
    old, new = signing.secret_generate(), signing.secret_generate()
    expected = [
        hmac.new(secret.encode(), b"1700000000." + BODY, hashlib.sha256).hexdigest()
        for secret in (new, old)
    ]
    assert headers(new, old, timestamp=1700000000)["Kallglot-Signature"] == (
        f"t=1700000000,v1={expected[0]},v1={expected[1]}"
    )


def test_a_sealed_secret_holds_nothing_in_clear():
    secret = signing.secret_generate()
    sealed = signing.secret_seal(secret)
    assert secret.encode() not in sealed
    assert signing.secret_open(sealed) == secret
