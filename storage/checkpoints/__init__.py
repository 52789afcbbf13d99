"""Checkpoints: state as of an epoch, as named blobs and one manifest, committed as one.

store       commit, read, go to another one, names
manifest    what a checkpoint consists of, and what its objects are called
reader      reading, by anybody, also while it is written
packing     blobs into objects
retention   which checkpoints are kept, and what is collected
ownership   who commits
opening     which checkpoints belong to which directory
fallback    the newest checkpoint that is whole
verifying   whether every byte is as it was written
cloning     a new directory from a checkpoint of another
former      the checkpoint of a directory of format 1
"""
