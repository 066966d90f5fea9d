"""What /metrics says beside the numbers of calls and engines, and how it is put together.

``http`` counts requests. ``database`` has numbers that are read from rows while somebody asks,
``queues`` those of leased work, ``pools`` those of the thread pools. ``exposition`` makes the text
of a gateway, ``worker`` that of a worker, whose jobs run in several processes.
"""
