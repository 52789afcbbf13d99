"""The inner loops of storage: bytes of keys and values, by the million.

What it is: Arrow columns as flat arrays (``arrowkeys``) and as keys whose bytes are in the order of SQL
(``orderedkeys``); the hash of a key (``hashing``); the log of versions under a state store (``versions``,
``versionrows``, ``wholelogs``) and the order of its keys (``keyorder``). ``memory`` has what Python has no words for.

What it promises: an identity is bytes, never a hash alone; kernels run without the GIL and none compiles after
start-up (``jit``).
"""
