"""An outside client of the API: plays audio files into a session as a telephony program would.

It knows the server only by the documented contract, so it is also an example of how to write one.
"""
