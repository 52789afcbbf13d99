"""Abbreviations of zones that mean one offset, as Postgres' default set has them.

Those whose offset depends on when they are asked for (``MSK``, ``ART``) are not here.
"""

from __future__ import annotations

import re

_TABLE = """
-10:00 HST TAHT
-09:30 MART
-09:00 AKST GAMT
-08:00 AKDT PST
-07:00 MST PDT
-06:00 CST GALT MDT
-05:00 ACT CDT COT EST PET
-04:00 AMT AST BOT EDT
-03:30 NFT NST
-03:00 ADT BRA BRT CLST GFT PMST PYST UYT WGT
-02:30 NDT
-02:00 BRST FNT PMDT UYST WGST
-01:00 AZOT EGT FNST
+00:00 AZOST EGST GMT UCT UT UTC WET Z ZULU
+01:00 BST CET MET MEZ WAT WETDST
+02:00 BDST CEST CETDST EET IST MEST MESZ METDST SAST
+03:00 EAT EEST EETDST FET IDT
+03:30 IRT
+04:00 MSD MUT RET SCT
+04:30 AFT
+05:00 MUST MVT PKT TFT TJT UZT
+05:45 NPT
+06:00 ALMT BDT BTT KGST PKST UZST XJT YEKST
+06:30 MMT
+07:00 ALMST CXT ICT WAST
+08:00 AWST BNT BORT CCT HKT MYT PHT WADT
+08:45 ACWST
+09:00 AWSST JAYT JST KST PWT ULAST WDT
+09:30 ACST CAST
+10:00 AEST CHUT DDUT KDT LIGT MPT PGT TRUT YAPT
+10:30 ACDT ACSST CADT LHST SADT
+11:00 AEDT AESST PONT VUT
+12:00 FJT GILT MHT NZST NZT TVT WAKT WFT
+12:45 CHAST
+13:00 FJST NZDT TOT
+13:45 CHADT
"""


def _read() -> dict[str, int]:
    found: dict[str, int] = {}
    offset = 0
    for word in _TABLE.split():
        if (clock := re.fullmatch(r"([+-])(\d\d):(\d\d)", word)) is not None:
            size = int(clock[2]) * 3600 + int(clock[3]) * 60
            offset = -size if clock[1] == "-" else size
        else:
            found[word.lower()] = offset
    return found


ABBREVIATIONS = _read()  # lower case; seconds east of UTC
