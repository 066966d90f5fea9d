"""Forms of signing in and of the account itself."""

from django.contrib.auth.forms import AuthenticationForm
from django.forms import CharField, EmailField, EmailInput, Form, PasswordInput, TextInput

_CODE = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


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


class CodeForm(Form):
    """A code of the authenticator app, or one of the recovery codes."""

    code = CharField(
        max_length=40,
        widget=TextInput(attrs={**_CODE, "autofocus": True}),
        help_text="Six digits from your authenticator app, or one of your recovery codes.",
    )


class ProofForm(Form):
    """Asked again before the second factor changes: an open session is not proof enough."""

    password = CharField(
        label="Your password",
        strip=False,
        widget=PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = CharField(
        max_length=40,
        widget=TextInput(attrs=_CODE),
        help_text="From your authenticator app, or one of your recovery codes.",
    )


class SetUpForm(ProofForm):
    code = CharField(
        label="Code",
        max_length=10,
        widget=TextInput(attrs={**_CODE, "inputmode": "numeric"}),
        help_text="The six digits that the app shows for Kallglot now.",
    )
