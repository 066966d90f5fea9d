"""Forms for signing in and for the account."""

from django.contrib.auth.forms import AuthenticationForm
from django.forms import CharField, EmailField, EmailInput, Form, PasswordInput, TextInput

_CODE = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}


class LoginForm(AuthenticationForm):
    """The same message for a wrong password and an unknown email, so that emails stay private."""

    username = EmailField(
        label="Email", widget=EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = CharField(
        label="Password",
        strip=False,
        widget=PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    error_messages = {
        "invalid_login": "The email or the password is wrong.",
        "inactive": "This account is closed.",
    }


class CodeForm(Form):
    """A code from the authenticator app, or a recovery code."""

    code = CharField(
        max_length=40,
        widget=TextInput(attrs={**_CODE, "autofocus": True}),
        help_text="Six digits from your authenticator app, or one of your recovery codes.",
    )


class ProofForm(Form):
    """Asks for password and code before the second factor changes."""

    password = CharField(
        label="Your password",
        strip=False,
        widget=PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = CharField(
        max_length=40,
        widget=TextInput(attrs=_CODE),
        help_text="Six digits from your authenticator app, or one of your recovery codes.",
    )


class SetUpForm(ProofForm):
    code = CharField(
        label="Code",
        max_length=10,
        widget=TextInput(attrs={**_CODE, "inputmode": "numeric"}),
        help_text="The six digits that the app shows for Kallglot.",
    )
