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
