"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes.

The shared secret is encrypted with the installation's key. Recovery codes are stored as hashes. A
code works once. Wrong codes are counted per person, from all addresses together: the sixth in a row
locks the app's codes for a minute, and each further one doubles that time. Recovery codes still
work while the app's codes are locked, so that the owner can sign in during an attack. They hold 80
random bits and cannot be guessed.
"""

import base64
import datetime
import enum
import hashlib
import logging
import secrets
import time
from typing import Final

import pyotp
from django.db import transaction
from django.utils import timezone
from pyotp.exceptions import OTPVerificationError

from kallglot_site import crypto
from kallglot_site.accounts.errors import (
    AccountsError,
    CodesLocked,
    SecretUnreadable,
    TwoFactorIsOn,
    WrongCode,
)
from kallglot_site.accounts.members import audit_record_everywhere
from kallglot_site.accounts.models import Organization, RecoveryCode, TwoFactor, User

logger = logging.getLogger(__name__)

ISSUER: Final = "Kallglot"
RECOVERY_CODES: Final = 10
FREE_FAILURES: Final = 5
FIRST_LOCK: Final = datetime.timedelta(minutes=1)
LONGEST_LOCK: Final = datetime.timedelta(days=1)
_PURPOSE: Final = "two-factor secret"
_NEIGHBOURS: Final = 1  # time steps: a phone's clock may be 30 s off, and typing takes time


class Factor(enum.Enum):
    APP = "app"
    RECOVERY_CODE = "recovery code"


def is_on(user: User) -> bool:
    return TwoFactor.objects.filter(user=user).exists()


def may_enter(user: User, organization: Organization) -> bool:
    """False if the organization requires a second factor and the user has none."""
    return not organization.requires_two_factor or is_on(user)


def secret_new() -> str:
    """160 random bits in base32, the format of authenticator apps."""
    return pyotp.random_base32()


def secret_seal(secret: str) -> bytes:
    return crypto.encrypt(secret.encode(), purpose=_PURPOSE)


def secret_open(sealed: bytes) -> str:
    """Raises ``crypto.DecryptionError``."""
    return crypto.decrypt(sealed, purpose=_PURPOSE).decode()


def secret_uri(secret: str, user: User) -> str:
    """The QR code's text: ``otpauth://totp/…``."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)


@transaction.atomic
def two_factor_enable(*, user: User, secret: str, code: str) -> list[str]:
    """Turn it on. The code proves that the app has the secret. Returns the recovery codes, to be
    shown once. Ends the person's sessions. Raises WrongCode, TwoFactorIsOn."""
    step = _step_of(secret, _normal(code))
    if step is None:
        raise WrongCode
    row, created = TwoFactor.objects.get_or_create(
        user=user, defaults={"sealed_secret": secret_seal(secret), "last_step": step}
    )
    if not created:
        raise TwoFactorIsOn
    _sessions_end(user)
    audit_record_everywhere(user=user, actor=user, action="two_factor.enabled")
    return _recovery_codes_make(row)


@transaction.atomic
def two_factor_disable(*, user: User, actor: User | None) -> bool:
    """Turn it off. For somebody else, who lost the phone, the audit log calls it a reset.

    ``actor`` None is an operator. Ends the person's sessions. False if it was not on.
    """
    if not TwoFactor.objects.filter(user=user).delete()[0]:
        return False
    _sessions_end(user)
    action = "two_factor.disabled" if actor == user else "two_factor.reset"
    audit_record_everywhere(user=user, actor=actor, action=action)
    return True


@transaction.atomic
def recovery_codes_renew(*, user: User) -> list[str]:
    """Ten new codes, to be shown once. The earlier codes stop working."""
    row = TwoFactor.objects.select_for_update().get(user=user)
    row.recovery_codes.all().delete()
    audit_record_everywhere(user=user, actor=user, action="two_factor.recovery_codes_renewed")
    return _recovery_codes_make(row)


def code_accept(*, user: User, code: str) -> Factor:
    """Check and use up a code of the app, or a recovery code.

    Raises WrongCode, CodesLocked, SecretUnreadable. Never call it within a transaction: a rollback
    would undo the count of wrong codes.
    """
    outcome = _code_try(user, _normal(code))
    if isinstance(outcome, AccountsError):
        raise outcome
    return outcome


@transaction.atomic(durable=True)
def _code_try(user: User, code: str) -> Factor | AccountsError:
    # The row lock counts parallel guesses one after the other.
    row = TwoFactor.objects.select_for_update().filter(user=user).first()
    if row is None:
        return WrongCode()
    if row.recovery_codes.filter(code_hash=_hash(code)).delete()[0]:
        audit_record_everywhere(user=user, actor=user, action="two_factor.recovery_code_used")
        return Factor.RECOVERY_CODE
    now = timezone.now()
    if row.locked_until is not None and row.locked_until > now:
        return CodesLocked()
    try:
        step = _step_of(secret_open(bytes(row.sealed_secret)), code)
    except crypto.DecryptionError:
        logger.exception("A two-factor secret cannot be decrypted")
        return SecretUnreadable()
    if step is None or step <= row.last_step:
        row.failures += 1
        if row.failures > FREE_FAILURES:
            doublings = min(row.failures - FREE_FAILURES - 1, 30)
            row.locked_until = now + min(FIRST_LOCK * 2**doublings, LONGEST_LOCK)
        row.save(update_fields=["failures", "locked_until"])
        return WrongCode()
    row.last_step, row.failures, row.locked_until = step, 0, None
    row.save(update_fields=["last_step", "failures", "locked_until"])
    return Factor.APP


def _step_of(secret: str, code: str) -> int | None:
    """The time step of the code. None if it is not the current step or one beside it."""
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(
            code, for_time=time.time(), valid_window=_NEIGHBOURS
        )
    except OTPVerificationError:
        return None


def _normal(code: str) -> str:
    """Without spaces and hyphens, in lower case."""
    return "".join(sign for sign in code.lower() if sign.isascii() and sign.isalnum())


def _hash(code: str) -> str:
    """SHA-256 is enough: a recovery code holds 80 random bits and cannot be guessed."""
    return hashlib.sha256(code.encode()).hexdigest()


def _recovery_codes_make(row: TwoFactor) -> list[str]:
    codes = [
        base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)
    ]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(two_factor=row, code_hash=_hash(code)) for code in codes
    )
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def _sessions_end(user: User) -> None:
    user.session_stamp = secrets.token_hex(8)
    user.save(update_fields=["session_stamp"])
