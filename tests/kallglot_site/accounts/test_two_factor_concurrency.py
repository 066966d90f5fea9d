"""Codes sent in parallel: one is accepted, and every wrong one is counted."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from kallglot_site.accounts import two_factor
from kallglot_site.accounts.errors import AccountsError
from kallglot_site.accounts.models import TwoFactor, User
from tests.conftest import Cast

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def phone(cast: Cast):
    """Time is frozen, a minute after the code that turned it on."""
    app = pyotp.TOTP(two_factor.secret_new())
    with time_machine.travel(timezone.now(), tick=False) as clock:
        two_factor.two_factor_enable(user=cast.owner, secret=app.secret, code=app.now())
        clock.shift(60)
        yield app


def outcomes(user: User, codes: list[str]) -> Counter[str]:
    """The result of each code, all sent in parallel."""

    def attempt(code: str) -> str:
        try:
            return two_factor.code_accept(user=user, code=code).name
        except AccountsError as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(len(codes)) as threads:
        return Counter(threads.map(attempt, codes))


def test_one_code_signs_one_session_in(cast: Cast, phone):
    assert outcomes(cast.owner, [phone.now()] * 6) == {"APP": 1, "WrongCode": 5}


def test_one_recovery_code_signs_one_session_in(cast: Cast, phone):
    code = two_factor.recovery_codes_renew(user=cast.owner)[0]
    assert outcomes(cast.owner, [code] * 6) == {"RECOVERY_CODE": 1, "WrongCode": 5}


def test_parallel_wrong_codes_are_all_counted(cast: Cast, phone):
    assert outcomes(cast.owner, ["not a code"] * 10) == {"WrongCode": 6, "CodesLocked": 4}
    assert TwoFactor.objects.get().failures == 6
