"""The error tree is a contract: classes, SQLSTATEs and codes stay what they are, and the docstring shows them all."""

from __future__ import annotations

import re

import pytest

from constellationdb import errors
from constellationdb.errors import ConstellationError, all_errors

# What clients and scripts may rely on. A line may be added; one that changes or goes breaks somebody.
GOLDEN = {
    "SqlSyntaxError": ("42601", "CON-1001"),
    "UndefinedRelation": ("42P01", "CON-1002"),
    "UndefinedColumn": ("42703", "CON-1003"),
    "UndefinedFunction": ("42883", "CON-1004"),
    "AmbiguousColumn": ("42702", "CON-1005"),
    "DuplicateRelation": ("42P07", "CON-1006"),
    "DuplicateColumn": ("42701", "CON-1007"),
    "WrongObjectType": ("42809", "CON-1008"),
    "DependentObjects": ("2BP01", "CON-1009"),
    "DatatypeMismatch": ("42804", "CON-1010"),
    "GroupingError": ("42803", "CON-1011"),
    "InvalidParameter": ("22023", "CON-1012"),
    "InvalidDefinition": ("42P16", "CON-1013"),
    "FeatureNotSupported": ("0A000", "CON-1014"),
    "UndefinedDatabase": ("3D000", "CON-1015"),
    "UndefinedObject": ("42704", "CON-1016"),
    "UndefinedStatement": ("26000", "CON-1017"),
    "DuplicateStatement": ("42P05", "CON-1018"),
    "UndefinedCursor": ("34000", "CON-1019"),
    "DuplicateCursor": ("42P03", "CON-1020"),
    "InvalidTextRepresentation": ("22P02", "CON-2001"),
    "DivisionByZero": ("22012", "CON-2002"),
    "NumericOutOfRange": ("22003", "CON-2003"),
    "NotNullViolation": ("23502", "CON-2004"),
    "UniqueViolation": ("23505", "CON-2005"),
    "CardinalityViolation": ("21000", "CON-2006"),
    "BadCopyFormat": ("22P04", "CON-2007"),
    "InvalidDatetime": ("22007", "CON-2008"),
    "DataException": ("22000", "CON-2009"),
    "AmbiguousParameter": ("42P08", "CON-1041"),
    "IndeterminateDatatype": ("42P18", "CON-1042"),
    "AmbiguousFunction": ("42725", "CON-1043"),
    "InvalidFunctionDefinition": ("42P13", "CON-1110"),
    "DuplicateFunction": ("42723", "CON-1111"),
    "ExternalRoutineError": ("38000", "CON-2110"),
    "InvalidBinaryRepresentation": ("22P03", "CON-2041"),
    "CharacterNotInRepertoire": ("22021", "CON-2042"),
    "NullNotAllowed": ("22004", "CON-2043"),
    "InvalidFrameSize": ("22013", "CON-2120"),
    "InvalidNtileArgument": ("22014", "CON-2121"),
    "InvalidNthValueArgument": ("22016", "CON-2122"),
    "ReadsOwnWritesThroughView": ("25001", "CON-3001"),
    "InFailedTransaction": ("25P02", "CON-3002"),
    "SerializationFailure": ("40001", "CON-3003"),
    "NoActiveTransaction": ("25P01", "CON-3004"),
    "QueryCanceled": ("57014", "CON-4001"),
    "ShuttingDown": ("57P01", "CON-4002"),
    "SubscriberTooSlow": ("54000", "CON-4003"),
    "HistoryExpired": ("55000", "CON-4004"),
    "LimitExceeded": ("54001", "CON-4005"),
    "AddressInUse": ("58000", "CON-5001"),
    "ConnectorFailure": ("58030", "CON-5002"),
    "CorruptState": ("XX001", "CON-5003"),
    "MissingExtra": ("0A000", "CON-5004"),
    "ProtocolViolation": ("08P01", "CON-5005"),
    "DirectoryInUse": ("F0001", "CON-5006"),
    "StorageFailure": ("58030", "CON-5007"),
    "TooManyConnections": ("53300", "CON-5008"),
    "RelationUnusable": ("55000", "CON-4006"),
    "DiskFull": ("53100", "CON-4007"),
    "InternalError": ("XX000", "CON-9001"),
    "InvalidObjectDefinition": ("42P17", "CON-1100"),
    "GeneratedAlways": ("428C9", "CON-1101"),
    "CheckViolation": ("23514", "CON-2100"),
    "SequenceLimit": ("2200H", "CON-2101"),
    "ObjectNotReady": ("55000", "CON-4100"),
    "ObjectInUse": ("55006", "CON-4101"),
    "InvalidColumnReference": ("42P10", "CON-1021"),
    "InvalidRecursion": ("42P19", "CON-1090"),
    "InvalidJsonSubscript": ("22033", "CON-2091"),
    "NonNumericJsonItem": ("22036", "CON-2092"),
    "SingletonJsonItemRequired": ("22038", "CON-2093"),
    "JsonArrayNotFound": ("22039", "CON-2094"),
    "JsonMemberNotFound": ("2203A", "CON-2095"),
    "JsonNumberNotFound": ("2203B", "CON-2096"),
    "WindowingError": ("42P20", "CON-1022"),
    "DuplicateAlias": ("42712", "CON-1023"),
    "CannotCoerce": ("42846", "CON-1024"),
    "UndefinedParameter": ("42P02", "CON-1025"),
    "UndefinedSchema": ("3F000", "CON-1080"),
    "InvalidLogarithm": ("2201E", "CON-2013"),
    "InvalidPower": ("2201F", "CON-2014"),
    "InvalidSubstring": ("22011", "CON-2015"),
    "ProgramLimitExceeded": ("54000", "CON-2016"),
    "StringTooLong": ("22001", "CON-2017"),
    "InvalidTimeZone": ("22009", "CON-2018"),
    "InvalidRegularExpression": ("2201B", "CON-2070"),
    "InvalidEscape": ("22025", "CON-2071"),
    "DatetimeOverflow": ("22008", "CON-2010"),
    "InvalidLimit": ("2201W", "CON-2011"),
    "InvalidOffset": ("2201X", "CON-2012"),
    "ReadOnlyTransaction": ("25006", "CON-3005"),
    "UndefinedSavepoint": ("3B001", "CON-3006"),
    "InvalidCursorDefinition": ("42P11", "CON-1060"),
    "InvalidName": ("42602", "CON-1061"),
    "CannotChangeSetting": ("55P02", "CON-1062"),
    "DuplicateSchema": ("42P06", "CON-1063"),
    "DuplicateObject": ("42710", "CON-1064"),
    "InsufficientPrivilege": ("42501", "CON-1070"),
    "ReservedName": ("42939", "CON-1071"),
    "AmbiguousAlias": ("42P09", "CON-1072"),
    "ActiveTransaction": ("25001", "CON-3060"),
    "IdleInTransactionTimeout": ("25P03", "CON-3061"),
    "ScrollRefused": ("55000", "CON-4060"),
    "SinkFailure": ("55000", "CON-4150"),
    "IdleSessionTimeout": ("57P05", "CON-4061"),
}

_CLASSES = [cls for cls in all_errors() if cls is not ConstellationError]


@pytest.mark.parametrize("cls", _CLASSES, ids=lambda cls: cls.__name__)
def test_class_has_its_sqlstate_and_code(cls: type[ConstellationError]) -> None:
    assert (cls.sqlstate, cls.code) == GOLDEN[cls.__name__]


def test_every_promised_class_exists() -> None:
    assert {cls.__name__ for cls in _CLASSES} == set(GOLDEN)


def test_codes_are_unique() -> None:
    codes = [cls.code for cls in _CLASSES]
    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize("cls", _CLASSES, ids=lambda cls: cls.__name__)
def test_class_says_its_own_codes(cls: type[ConstellationError]) -> None:
    """Only the root's codes are inherited, by the error that means the same."""
    inherited = cls.code == ConstellationError.code and cls.sqlstate == ConstellationError.sqlstate
    assert inherited == (cls is errors.InternalError)
    assert re.fullmatch(r"[0-9A-Z]{5}", cls.sqlstate)
    assert re.fullmatch(r"CON-\d{4}", cls.code)


def test_docstring_shows_the_tree_as_it_is() -> None:
    assert errors.__doc__ is not None
    shown = re.findall(r"[├└]── (\w+) +(\w{5})  (CON-\d{4})$", errors.__doc__, re.M)
    assert shown == [(cls.__name__, cls.sqlstate, cls.code) for cls in _CLASSES]


def test_an_error_carries_what_postgres_fields_need() -> None:
    error = errors.UndefinedRelation('relation "t" does not exist', detail="d", hint="h", position=7)
    assert (str(error), error.message) == ('relation "t" does not exist', 'relation "t" does not exist')
    assert (error.detail, error.hint, error.position) == ("d", "h", 7)


def test_a_known_position_is_kept() -> None:
    error = errors.SqlSyntaxError("x")
    assert error.at(None).position is None
    assert error.at(3).position == 3
    assert error.at(9).position == 3
