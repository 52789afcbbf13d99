"""Inner loops of connectors: decoding that looks at every byte."""
