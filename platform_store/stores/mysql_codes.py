"""MySQL's error numbers, and the client library's from 2000 to 2999: what kind of failure each is.

The numbers are those of MySQL's "Server Error Message Reference" and of MariaDB's "MariaDB Error Codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["transient", "duplicate", "stale", "value", "conflict", "lost", "access", "schema"]

CODES: Mapping[Kind, str] = {
    "transient": "1205 1213 1412 3058 3572",
    "duplicate": "1062 1586",
    "stale": "1054 1146 1615",
    "value": (
        "167 1048 1138 1153 1263 1264 1265 1292 1364 1365 1366 1367 1406 1411 1416 1441 1467 1525 1690 3037 3140 3141 "
        "3144 3149 3156 3617 3732 3819 3854 4025"
    ),
    "conflict": "1216 1217 1451 1452 1761 1762",  # foreign keys
    "lost": (
        "0 1040 1042 1043 1053 1077 1078 1079 1080 1152 1158 1159 1160 1161 1184 1203 1226 1290 1317 1836 1927 1969 "
        "2002 2003 2005 2006 2012 2013 2014 2026 2027 2055 3024 3032 4031"
    ),
    "access": "1044 1045 1049 1095 1130 1131 1132 1133 1142 1143 1227 1251 1370 1524 1698 1820 3118 3159",
    "schema": (
        "1005 1007 1008 1050 1051 1052 1055 1059 1060 1061 1063 1067 1068 1069 1070 1071 1072 1073 1074 1075 1090 1091 "
        "1101 1103 1109 1113 1115 1117 1118 1140 1163 1166 1167 1170 1171 1176 1193 1222 1241 1242 1248 1253 1273 1280 "
        "1291 1293 1294 1305 1318 1347 1427 1506 1553 1582 1583 1664 1687 1688 1794 1827 1829 1830 1831 1833 3065 3066 "
        "3152 3730 3780 3959 3962"
    ),
}
KIND_OF: Mapping[int, Kind] = {int(code): kind for kind, codes in CODES.items() for code in codes.split()}
EXHAUSTED = {167, 1467}  # MariaDB's number, and MySQL's
NO_UPLOADS = {1148, 3948, 4166}  # local_infile is off: the older number of both, MySQL's, MariaDB's
NO_SUCH_THREAD = 1094
UNGROUPED = {1055, 1140, 3065, 3066}  # of GROUP BY, of aggregates without it, of ORDER BY behind DISTINCT
MAY_NOT_SET = {1227, 1559}  # the account lacks a privilege; temporary tables are open
DUPLICATES = {1062, 1586}
NO_SUCH_TABLE_FITS = {1071, 1117, 1118, 3161}  # key, number of columns, row; the engine is disabled
NAMING_ONLY = {1054, 1146} | {code for code, kind in KIND_OF.items() if kind == "schema"}
"""Errors whose message holds identifiers and limits only, never a row's value or a piece of the statement."""
