"""Files as a sink: a directory of JSON lines, CSV or Parquet that only grows, each commit of it whole or not at all.

    orders/
      000000000018-000000000042-0.jsonl     the changes of epochs 18 to 42; part 0
      country=DE/000000000018-…-1.jsonl     with partition_by = 'country'
      _constellation/
        commit-000000000042.json            the last commit: whose it is, its epoch and its files
        staged-43-0.tmp                     files of the transaction that is being written

    sink        CREATE SINK … WITH (connector = 'file'), and its writer
    parts       the files of one transaction: formats, sizes, partitions
    commits     the record that makes them count, and what is left to do after a crash

A transaction's files are written and synced aside. Then the record of the commit is created, in which they are listed:
that is the moment. Then they get their names. A crash between the two is made good by whoever opens the directory
next, and what no record lists is removed. So a file that has its name is complete, and the newest record is the marker.
"""
