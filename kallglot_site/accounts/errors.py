"""What may go wrong with members and invitations. The message is for the person who tried."""


class AccountsError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LastAdmin(AccountsError):
    """An organization always keeps an admin: nobody else could make one."""

    def __init__(self) -> None:
        super().__init__("This is the organization's only admin. Make somebody else one first.")


class InvitationClosed(AccountsError):
    def __init__(self) -> None:
        super().__init__("This invitation was used already, was withdrawn or has expired.")


class WrongAccount(AccountsError):
    """An invitation is for one email."""


class WrongCode(AccountsError):
    def __init__(self) -> None:
        super().__init__("This code is wrong, or was used already. Wait for the next one.")


class CodesLocked(AccountsError):
    """Too many wrong codes in a row. Recovery codes still work: nobody guesses those."""

    def __init__(self) -> None:
        super().__init__("Too many wrong codes. Wait a while, or use a recovery code.")


class SecretUnreadable(AccountsError):
    """The installation's secret key was replaced and the old one thrown away."""

    def __init__(self) -> None:
        super().__init__("Codes from your app can no longer be checked here. Use a recovery code.")


class TwoFactorIsOn(AccountsError):
    def __init__(self) -> None:
        super().__init__("Two-factor authentication is on already.")
