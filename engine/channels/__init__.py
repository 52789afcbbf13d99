"""Channels: Arrow batches from one process of a machine to another, through shared memory.

What it is: ``ring.Ring`` is the memory of one direction, with one ``Sender`` and one ``Receiver``, each a thread's of
any process. A ``Message`` is some bytes and any batches.

What it promises:

* What was sent comes out once, whole, and in order, with its schema and metadata; after ``close``, too.
* What is received is the receiver's: it is copied out once, and its room in the ring is free before it is used.
* A sender that dies leaves the messages it had sent, and no part of another. A new sender goes on behind them.
* ``offer`` and ``pull`` never wait. ``push`` and ``wait_any`` do; no wake-up is lost, and a side that does not sleep
  costs the other no system call.
* A full ring blocks its sender, or drops what is oldest and counts it, or refuses, as the sender was told to.

How it works::

    offer ─▶ Encoder: Arrow IPC, written where it will lie ─▶ publish the tail ┄┄ wake the receiver if it sleeps
                  ┌───────┬──────────────────────────┬───────────────┐
                  │ header│   free  │ frame │ frame  │ PAD           │   memory of a memfd, mapped by both
                  └───────┴──────────────────────────┴───────────────┘
    pull  ◀─ Decoder ◀─ copy ◀─ peek at the head, free the frame ┄┄ wake the sender if it sleeps and has its room

    messages          a message as bytes; one IPC stream per schema, so that a schema travels once
    kernels/rings     frames, head and tail, in acquire and release order; kernels/atomics: the instructions
    sender, receiver  the two sides; big messages in pieces
    waiting, wakeup   look, then sleep on an eventfd; several channels and files at once

Where an oldest message may be dropped two sides move the head: the sender to drop, the receiver to take. Both do it by
compare-and-swap, so a frame is either dropped or taken; the copy of one that was dropped meanwhile is thrown away.

What it leaves out: whether the other process lives (wait for a pipe that ends with it, too: ``wait_any`` takes its file
descriptor), several senders into one ring, checksums (what is published was written), and Windows.
"""
