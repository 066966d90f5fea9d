class CallFailed(Exception):
    """The call failed; the message says why and what to do."""
