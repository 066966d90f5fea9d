"""The second factor: which codes are accepted, only once, and what is stored."""

import datetime

import pyotp
import pytest
import time_machine
from django.utils import timezone

from kallglot_site.accounts import two_factor
from kallglot_site.accounts.errors import CodesLocked, SecretUnreadable, TwoFactorIsOn, WrongCode
from kallglot_site.accounts.models import AuditEntry, RecoveryCode, TwoFactor, User
from kallglot_site.accounts.two_factor import Factor
from tests.conftest import Cast

NOON = datetime.datetime(2026, 3, 2, 12, 0, 10, tzinfo=datetime.UTC)


def seconds(number: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=number)


class Phone:
    """An authenticator app with the person's secret, and the recovery codes."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.secret = two_factor.secret_new()
        with time_machine.travel(NOON - seconds(3600), tick=False):
            self.paper = two_factor.two_factor_enable(
                user=user, secret=self.secret, code=self.code(NOON - seconds(3600))
            )

    def code(self, at: datetime.datetime) -> str:
        return pyotp.TOTP(self.secret).at(at)

    def wrong(self, at: datetime.datetime) -> str:
        near = {self.code(at + seconds(30 * steps)) for steps in range(-3, 4)}
        return next(f"{guess:06}" for guess in range(10) if f"{guess:06}" not in near)

    def accept(self, code: str, at: datetime.datetime) -> Factor:
        with time_machine.travel(at, tick=False):
            return two_factor.code_accept(user=self.user, code=code)


@pytest.fixture
def phone(cast: Cast) -> Phone:
    return Phone(cast.owner)


def actions(cast: Cast) -> list[str]:
    return sorted(AuditEntry.objects.values_list("action", flat=True))


@pytest.mark.parametrize("off", [-30, 0, 30])
def test_codes_of_now_and_of_half_a_minute_off_are_accepted(phone, off):
    assert phone.accept(phone.code(NOON + seconds(off)), NOON) is Factor.APP


@pytest.mark.parametrize("off", [-90, -60, 60, 90])
def test_codes_of_other_times_are_not(phone, off):
    with pytest.raises(WrongCode):
        phone.accept(phone.code(NOON + seconds(off)), NOON)


@pytest.mark.parametrize("code", ["", "abc", "12345", "1234567", "٣٤٥٦٧٨", "x" * 5000, "\x00"])
def test_nonsense_is_a_wrong_code(phone, code):
    with pytest.raises(WrongCode):
        phone.accept(code, NOON)


def test_a_code_works_once_and_so_do_all_before_it(phone):
    phone.accept(phone.code(NOON), NOON)
    for earlier in (NOON, NOON - seconds(30)):
        with pytest.raises(WrongCode):
            phone.accept(phone.code(earlier), NOON)
    assert phone.accept(phone.code(NOON + seconds(30)), NOON + seconds(30)) is Factor.APP


def test_the_code_that_turned_it_on_does_not_sign_in(phone):
    then = NOON - seconds(3600)
    with pytest.raises(WrongCode):
        phone.accept(phone.code(then), then)


def test_codes_are_accepted_however_people_type_them(phone):
    code = phone.code(NOON)
    assert phone.accept(f" {code[:3]} {code[3:]} ", NOON) is Factor.APP
    assert phone.accept(phone.paper[0].upper().replace("-", " "), NOON) is Factor.RECOVERY_CODE


def test_a_recovery_code_works_once_and_is_logged(phone, cast):
    assert phone.accept(phone.paper[3], NOON) is Factor.RECOVERY_CODE
    with pytest.raises(WrongCode):
        phone.accept(phone.paper[3], NOON)
    assert RecoveryCode.objects.count() == 9
    assert actions(cast) == ["two_factor.enabled", "two_factor.recovery_code_used"]


def test_somebody_elses_recovery_code_is_a_wrong_code(phone, cast):
    others = Phone(cast.teammate)
    with pytest.raises(WrongCode):
        phone.accept(others.paper[0], NOON)


def test_five_wrong_codes_are_free_and_the_sixth_locks_for_twice_as_long_each_time(phone):
    for _ in range(6):
        with pytest.raises(WrongCode):
            phone.accept(phone.wrong(NOON), NOON)
    at = NOON
    for minutes in (1, 2, 4, 8):
        almost = at + datetime.timedelta(minutes=minutes) - seconds(1)
        with pytest.raises(CodesLocked):
            phone.accept(phone.code(almost), almost)
        at += datetime.timedelta(minutes=minutes)
        with pytest.raises(WrongCode):
            phone.accept(phone.wrong(at), at)
    at += datetime.timedelta(minutes=16)
    assert phone.accept(phone.code(at), at) is Factor.APP
    with pytest.raises(WrongCode):
        phone.accept(phone.wrong(at), at)  # the count was reset: no lock
    assert phone.accept(phone.code(at + seconds(30)), at + seconds(30)) is Factor.APP


def test_the_lock_never_outlasts_a_day(phone):
    TwoFactor.objects.update(failures=1000)
    with pytest.raises(WrongCode):
        phone.accept(phone.wrong(NOON), NOON)
    tomorrow = NOON + datetime.timedelta(days=1)
    assert phone.accept(phone.code(tomorrow), tomorrow) is Factor.APP


def test_a_recovery_code_works_during_a_lock(phone):
    TwoFactor.objects.update(locked_until=NOON + seconds(60))
    assert phone.accept(phone.paper[0], NOON) is Factor.RECOVERY_CODE


def test_the_database_holds_neither_secret_nor_recovery_codes(phone):
    row = TwoFactor.objects.get()
    assert phone.secret.encode() not in bytes(row.sealed_secret)
    assert two_factor.secret_open(bytes(row.sealed_secret)) == phone.secret
    hashes = set(RecoveryCode.objects.values_list("code_hash", flat=True))
    assert len(hashes) == 10
    for code in phone.paper:
        assert code not in hashes
        assert code.replace("-", "") not in hashes


def test_under_another_secret_key_only_recovery_codes_work(phone, settings, caplog):
    settings.SECRET_KEY = "another"
    with pytest.raises(SecretUnreadable):
        phone.accept(phone.code(NOON), NOON)
    assert phone.secret not in caplog.text
    assert phone.accept(phone.paper[0], NOON) is Factor.RECOVERY_CODE


def test_a_replaced_secret_key_still_reads_what_the_old_one_sealed(phone, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert phone.accept(phone.code(NOON), NOON) is Factor.APP


def test_it_is_not_turned_on_without_a_code_nor_twice(cast):
    secret = two_factor.secret_new()
    with pytest.raises(WrongCode):
        two_factor.two_factor_enable(user=cast.owner, secret=secret, code="not it")
    assert not two_factor.is_on(cast.owner)
    code = pyotp.TOTP(secret).at(timezone.now())
    two_factor.two_factor_enable(user=cast.owner, secret=secret, code=code)
    with pytest.raises(TwoFactorIsOn):
        two_factor.two_factor_enable(user=cast.owner, secret=secret, code=code)


def test_new_recovery_codes_end_the_old_ones(phone, cast):
    fresh = two_factor.recovery_codes_renew(user=cast.owner)
    with pytest.raises(WrongCode):
        phone.accept(phone.paper[0], NOON)
    assert phone.accept(fresh[0], NOON) is Factor.RECOVERY_CODE
    assert "two_factor.recovery_codes_renewed" in actions(cast)


def test_turning_off_is_told_from_a_reset_by_somebody_else(phone, cast):
    assert two_factor.two_factor_disable(user=cast.owner, actor=cast.owner)
    assert not two_factor.two_factor_disable(user=cast.owner, actor=cast.owner)
    Phone(cast.teammate)
    two_factor.two_factor_disable(user=cast.teammate, actor=None)
    assert actions(cast) == [
        "two_factor.disabled",
        "two_factor.enabled",
        "two_factor.enabled",
        "two_factor.reset",
    ]
    assert not RecoveryCode.objects.exists()
