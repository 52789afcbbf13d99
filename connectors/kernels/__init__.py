"""Inner loops of connectors: decoding that looks at every byte.

Like the engine's, they are declared through ``constellationdb.jit`` and compiled
before anything is served. A text that a kernel does not know is left to the
library that decodes the rest; nothing is guessed.
"""
