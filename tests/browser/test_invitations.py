"""Pages behind a secret link: accepting an invitation and setting a new password."""

from playwright.sync_api import expect

from kallglot_site.accounts.models import Membership, User
from tests.browser.conftest import in_both_browsers

pytestmark = in_both_browsers
NEW_PASSWORD = "a-fine-long-phrase"


def test_a_new_person_accepts_an_invitation(owner_window, new_window, cast):
    window, page = owner_window
    page.goto(f"{window.address}/dashboard/members")
    page.get_by_label("Email").fill("new@acme.example")
    page.get_by_role("button", name="Create link").click()
    link = page.locator("#secret").input_value()

    guest = new_window()
    page = guest.page()
    page.goto(link)
    page.get_by_label("Choose a password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Create account and join").click()
    page.wait_for_url("**/dashboard/")
    expect(page.get_by_text("Welcome to Acme Support.")).to_be_visible()
    user = User.objects.get(email="new@acme.example")
    assert Membership.objects.get(user=user).organization == cast.organization


def test_a_member_accepts_an_invitation_to_another_organization(owner_window, new_window, cast):
    window, page = owner_window
    page.goto(f"{window.address}/dashboard/members")
    page.get_by_label("Email").fill(cast.outsider.email)
    page.get_by_role("button", name="Create link").click()
    link = page.locator("#secret").input_value()

    guest = new_window()
    page = guest.page()
    page.goto(link)
    page.get_by_role("link", name="Sign in to join").click()
    page.get_by_label("Email").fill(cast.outsider.email)
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("Welcome to Acme Support.")).to_be_visible()


def test_a_reset_link_sets_a_new_password(owner_window, new_window, cast):
    window, page = owner_window
    page.goto(f"{window.address}/dashboard/members")
    row = page.get_by_role("row").filter(has_text=cast.teammate.email)
    row.get_by_role("button", name="Reset password").click()
    page.get_by_role("dialog").get_by_role("button", name="Create link").click()
    link = page.locator("#secret").input_value()

    guest = new_window()
    page = guest.page()
    page.goto(link)
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("New password confirmation").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set password").click()
    page.wait_for_url("**/login")
    guest.sign_in(page, cast.teammate.email, NEW_PASSWORD)
