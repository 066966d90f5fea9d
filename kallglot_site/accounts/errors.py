"""Errors of members, invitations and the second factor. Pages show the message."""


class AccountsError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LastAdmin(AccountsError):
    """An organization must have an admin: nobody else could add one."""

    def __init__(self) -> None:
        super().__init__("This is the only admin. Make another member an admin first.")


class InvitationClosed(AccountsError):
    def __init__(self) -> None:
        super().__init__("This invitation was used, withdrawn or has expired.")


class WrongAccount(AccountsError):
    """An invitation is for one email."""


class WrongCode(AccountsError):
    def __init__(self) -> None:
        super().__init__("This code is wrong or was used already. Wait for the next code.")


class CodesLocked(AccountsError):
    """Too many wrong codes in a row. Recovery codes still work: they cannot be guessed."""

    def __init__(self) -> None:
        super().__init__("Too many wrong codes. Wait some minutes, or use a recovery code.")


class SecretUnreadable(AccountsError):
    """The installation's secret key was replaced, and the old one is not kept."""

    def __init__(self) -> None:
        super().__init__("Codes from your app cannot be checked any more. Use a recovery code.")


class TwoFactorIsOn(AccountsError):
    def __init__(self) -> None:
        super().__init__("Two-factor authentication is already on.")
