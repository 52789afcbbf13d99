"""Files as a source: CSV, JSON lines and Parquet, one file or a glob, read once or followed as they grow.

    discovery      which files, which format, what columns
    records        where the records of a block of bytes end
    csv_decoder    records to columns, and what is wrong with one that is not
    json_decoder
    decoding       a block of which some records are bad: bisect until the bad ones stand alone
    text_file      one CSV or JSON file, by byte offsets
    parquet_file   one Parquet file, by row numbers
    reader         many files in the order of their names, as a SourceReader
    source         CREATE SOURCE … WITH (connector = 'file')

Promises: an offset lies always between two records, so reading from it again
gives the same rows; columns go by name (absent ones are NULL, others are
ignored); a bad record becomes a RowError and its neighbours survive.

A position is ``{file name: offset}``: not following, the one file being read
(those before it in order are done); following, every file begun.

Left out: compressed text (there is no way to seek in it), remote stores,
partition columns in folder names, and reading one file in several threads.
"""
