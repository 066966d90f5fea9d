class CallFailed(Exception):
    """The call could not be made or went wrong; the message says why and what to do."""
