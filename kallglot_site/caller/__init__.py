"""A client of the API that plays audio files into a session, as a telephony program does.

It uses only the documented API, so it is also an example of how to write a client.
"""
