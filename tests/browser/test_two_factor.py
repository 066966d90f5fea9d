"""A person sets up a second factor with their phone, and signs in with it."""

import pyotp
from playwright.sync_api import Page, expect

from kallglot_site.accounts.models import TwoFactor
from tests.browser.conftest import accessibility_faults, in_both_browsers
from tests.conftest import Cast

pytestmark = in_both_browsers


def allow_the_last_code_again() -> None:
    """A code works once. Allow it again, instead of waiting 30 s for the next one."""
    TwoFactor.objects.update(last_step=0)


def give_password(page: Page, address: str, email: str) -> None:
    page.goto(f"{address}/login?next=/dashboard/keys")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill("password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/code?next=*")


def test_two_factor_is_set_up_and_used_and_a_recovery_code_replaces_it(
    owner_window, new_window, cast: Cast
):
    window, page = owner_window
    page.goto(f"{window.address}/dashboard/account")
    page.get_by_role("link", name="Two-factor authentication").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    page.get_by_text("Cannot scan it?").click()
    phone = pyotp.TOTP(page.locator("#two-factor-secret").inner_text().replace(" ", ""))
    page.get_by_label("Code", exact=True).fill(phone.now())
    page.get_by_label("Your password").fill("password")
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator(".recovery-codes li").all_inner_texts()
    assert len(codes) == 10
    assert accessibility_faults(page) == []
    page.get_by_role("link", name="I have saved my recovery codes").click()
    page.wait_for_url("**/dashboard/")

    allow_the_last_code_again()
    other = new_window(390, "dark")
    page = other.page()
    give_password(page, other.address, cast.owner.email)
    assert accessibility_faults(page) == []
    assert page.evaluate("document.activeElement.name") == "code"
    code = phone.now()
    page.keyboard.type(f"{code[:3]} {code[3:]}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/keys")

    third = new_window()
    page = third.page()
    give_password(page, third.address, cast.owner.email)
    page.get_by_label("Code").fill("not a code")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This code is wrong")).to_be_visible()
    assert accessibility_faults(page) == []
    third.faults.clear()  # the browser logs the expected 422
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard/keys")
    expect(page.get_by_text("9 left")).to_be_visible()
