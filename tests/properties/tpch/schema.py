"""The eight tables: their columns as they are declared to us, and their rows as the generator writes them."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TABLES = {
    "region": "r_regionkey bigint PRIMARY KEY, r_name text, r_comment text",
    "nation": "n_nationkey bigint PRIMARY KEY, n_name text, n_regionkey bigint, n_comment text",
    "part": """p_partkey bigint PRIMARY KEY, p_name text, p_mfgr text, p_brand text, p_type text, p_size int,
        p_container text, p_retailprice numeric(15, 2), p_comment text""",
    "supplier": """s_suppkey bigint PRIMARY KEY, s_name text, s_address text, s_nationkey bigint, s_phone text,
        s_acctbal numeric(15, 2), s_comment text""",
    "partsupp": """ps_partkey bigint, ps_suppkey bigint, ps_availqty int, ps_supplycost numeric(15, 2),
        ps_comment text, PRIMARY KEY (ps_partkey, ps_suppkey)""",
    "customer": """c_custkey bigint PRIMARY KEY, c_name text, c_address text, c_nationkey bigint, c_phone text,
        c_acctbal numeric(15, 2), c_mktsegment text, c_comment text""",
    "orders": """o_orderkey bigint PRIMARY KEY, o_custkey bigint, o_orderstatus text, o_totalprice numeric(15, 2),
        o_orderdate date, o_orderpriority text, o_clerk text, o_shippriority int, o_comment text""",
    "lineitem": """l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int,
        l_quantity numeric(15, 2), l_extendedprice numeric(15, 2), l_discount numeric(15, 2), l_tax numeric(15, 2),
        l_returnflag text, l_linestatus text, l_shipdate date, l_commitdate date, l_receiptdate date,
        l_shipinstruct text, l_shipmode text, l_comment text, PRIMARY KEY (l_orderkey, l_linenumber)""",
}


def generate(scale: float, directory: Path) -> dict[str, pa.Table]:
    """The rows of every table at a scale factor (1 is a gigabyte of text)."""
    command = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    subprocess.run([command, "parquet", "-s", str(scale), "--output-dir", directory], check=True)
    return {name: _plain(pq.read_table(directory / f"{name}.parquet")) for name in TABLES}


def _plain(table: pa.Table) -> pa.Table:
    fields = [pa.field(f.name, pa.string() if f.type == pa.string_view() else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))


def queries() -> dict[str, str]:
    """The text of each query by its name, q01 to q22."""
    found = sorted((Path(__file__).parent / "queries").glob("q*.sql"))
    return {path.stem: path.read_text() for path in found}
