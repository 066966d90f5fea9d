"""Forms of signing in and of the account itself."""

from django.contrib.auth.forms import AuthenticationForm
from django.forms import CharField, EmailField, EmailInput, PasswordInput


class LoginForm(AuthenticationForm):
    """One message for a wrong password and an unknown email: neither is confirmed to exist."""

    username = EmailField(
        label="Email", widget=EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = CharField(
        label="Password",
        strip=False,
        widget=PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    error_messages = {
        "invalid_login": "That email and password do not belong together.",
        "inactive": "This account has been closed.",
    }
