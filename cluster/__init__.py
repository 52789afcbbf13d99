"""Several processes as one database: nothing of it is built yet, and nothing imports this folder.

It has its place in the layers (beside ``wire``, above ``engine``) so that nothing below can come to depend on it.
What will stand here, and what of it the rest of the code already keeps to, says ``docs/decisions/commit-point.md``:
who is there, who owns which vnodes, one order for the catalog's commands, and channels between processes.

It is to promise that a stale, doubled or paused node can be slow but never wrong. It leaves out operators and state:
``engine.exchange`` already hands rows from worker to worker by vnode and epoch, and cannot tell where the other one is.
"""
