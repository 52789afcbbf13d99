"""Worker processes: graphs whose operators run on all cores, each worker with the keys of its vnodes.

What it is: the ``Pool`` of worker processes of one engine, ``RemoteGraph``, which a job runs as if it were a ``Graph``,
and what a worker process does (``python -m constellationdb.engine.processes.worker``).

What it promises:

* A ``RemoteGraph`` answers as a ``Graph`` with as many workers: the same change of the same epoch.
* Every worker does all commands in the same order, those of several graphs too, so that nobody waits in a circle.
* When a worker dies, the pool is started anew, every graph is set up again from the last state that was written of
  it and does the epochs since then once more: nobody sees more of it than that an epoch took longer. The server, what
  runs in it and those who read go on meanwhile.
* Workers end with the server, however it ends.

How it works::

    server   RemoteGraph ── commands: a slice of each input ──▶ worker 0 ◀── rows by vnode, end of epoch ──▶ worker 1
                 ▲                                                 │                                            │
                 └──── change of the view, with its places ────────┴────────────────────────────────────────────┘

    protocol          what goes between the server and a worker
    pool  supervised  the processes, and the rings between them (``engine/channels``)
    remote  journal   a graph as the server sees it; what has to be done again when a worker is lost
    worker  host      a worker process, and its shares of graphs
    edge              rows to the worker that owns their keys, epoch by epoch
    placing           which slot of its view a changed row has, so that the server need not look it up

A view's rows stay in the server, where everybody reads them. What is costly about keeping them is to find
a row that goes: that the workers do, each for its own keys, and the server only writes down which places are empty.

What it leaves out: lookups by key of outside tables, functions in Python, and plans whose rows never change over from
one worker to another, run in the server (``placement``).
"""
