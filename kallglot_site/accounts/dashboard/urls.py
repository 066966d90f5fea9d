"""Addresses of accounts: ``root_urlpatterns`` at the root, others below ``/dashboard/``."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from kallglot_site.accounts.dashboard import (
    invitations,
    keys,
    members,
    organization,
    passwords,
    sign_in,
    two_factor,
    views,
)

root_urlpatterns = [
    path("login", sign_in.LoginView.as_view(), name="login"),
    path("login/code", sign_in.LoginCodeView.as_view(), name="login_code"),
    path("account/two-factor", two_factor.TwoFactorView.as_view(), name="two_factor"),
    path("account/two-factor/codes", two_factor.CodesRenewView.as_view(), name="two_factor_codes"),
    path("account/two-factor/off", two_factor.TurnOffView.as_view(), name="two_factor_off"),
    path("invitation/<str:token>", invitations.InvitationView.as_view(), name="invitation"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("password", passwords.PasswordResetView.as_view(), name="password_reset"),
    path("password/sent", passwords.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path(
        "password/<uidb64>/<token>",
        passwords.PasswordResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
]

urlpatterns = [
    path("switch", views.SwitchView.as_view(), name="switch"),
    path("account", views.ProfileView.as_view(), name="profile"),
    path("keys", keys.KeysView.as_view(), name="keys"),
    path("keys/<str:key_id>/revoke", keys.KeyRevokeView.as_view(), name="key_revoke"),
    path("keys/<str:key_id>/roll", keys.KeyRollView.as_view(), name="key_roll"),
    path("members", members.MembersView.as_view(), name="members"),
    path("members/<int:membership_id>/role", members.MemberRoleView.as_view(), name="member_role"),
    path(
        "members/<int:membership_id>/remove",
        members.MemberRemoveView.as_view(),
        name="member_remove",
    ),
    path(
        "members/<int:membership_id>/reset", members.MemberResetView.as_view(), name="member_reset"
    ),
    path(
        "members/<int:membership_id>/two-factor-reset",
        members.MemberTwoFactorResetView.as_view(),
        name="member_two_factor_reset",
    ),
    path(
        "invitations/<str:invitation_id>/withdraw",
        invitations.InvitationWithdrawView.as_view(),
        name="invitation_withdraw",
    ),
    path("settings", organization.SettingsView.as_view(), name="settings"),
    path(
        "settings/two-factor",
        organization.TwoFactorRequirementView.as_view(),
        name="settings_two_factor",
    ),
    path("audit", organization.AuditView.as_view(), name="audit"),
]
