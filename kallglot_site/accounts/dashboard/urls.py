"""Addresses of accounts: ``doors`` at the root, ``urlpatterns`` below ``/dashboard/``."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from kallglot_site.accounts.dashboard import doors as door_views
from kallglot_site.accounts.dashboard import keys, members, organization, views
from kallglot_site.accounts.dashboard import two_factor as second

doors = [
    path("login", door_views.LoginView.as_view(), name="login"),
    path("login/code", door_views.LoginCodeView.as_view(), name="login_code"),
    path("account/two-factor", second.TwoFactorView.as_view(), name="two_factor"),
    path("account/two-factor/codes", second.CodesRenewView.as_view(), name="two_factor_codes"),
    path("account/two-factor/off", second.TurnOffView.as_view(), name="two_factor_off"),
    path("invitation/<str:token>", members.InvitationView.as_view(), name="invitation"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("password", door_views.PasswordResetView.as_view(), name="password_reset"),
    path("password/sent", door_views.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path(
        "password/<uidb64>/<token>",
        door_views.PasswordResetConfirmView.as_view(),
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
        members.InvitationWithdrawView.as_view(),
        name="invitation_withdraw",
    ),
    path("settings", organization.SettingsView.as_view(), name="settings"),
    path(
        "settings/two-factor",
        organization.TwoFactorDemandView.as_view(),
        name="settings_two_factor",
    ),
    path("audit", organization.AuditView.as_view(), name="audit"),
]
