"""Objects: named bytes that are written whole, in a directory or in an object store.

store    the seam (ObjectStore)
local    … to a directory
remote   … to S3, Google Cloud Storage, Azure
format   how an object of ours begins: kind, format, writer, checksum
"""
