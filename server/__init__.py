"""The process that listens: an event loop on a thread of its own, open to this machine only.

``Server(engine, host, port)`` binds, serves the Postgres port through ``wire``
and stops without leaving a client in doubt (57P01). It promises to refuse any
address beyond loopback, since connections are neither encrypted nor
authenticated yet, and to say clearly when a port is taken.

    listener   Server: start, stop, the address it got
    addresses  which sockets a host and port mean, and whether they may be opened
"""
