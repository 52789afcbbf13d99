"""Every error a user can meet, in one tree.

    ConstellationError
    ├── SqlSyntaxError              42601  CON-1001
    ├── UndefinedRelation           42P01  CON-1002
    ├── UndefinedColumn             42703  CON-1003
    ├── UndefinedFunction           42883  CON-1004
    ├── AmbiguousColumn             42702  CON-1005
    ├── DuplicateRelation           42P07  CON-1006
    ├── DuplicateColumn             42701  CON-1007
    ├── WrongObjectType             42809  CON-1008
    ├── DependentObjects            2BP01  CON-1009
    ├── DatatypeMismatch            42804  CON-1010
    ├── GroupingError               42803  CON-1011
    ├── InvalidParameter            22023  CON-1012
    ├── InvalidDefinition           42P16  CON-1013
    ├── FeatureNotSupported         0A000  CON-1014
    ├── UndefinedDatabase           3D000  CON-1015
    ├── UndefinedObject             42704  CON-1016
    ├── UndefinedStatement          26000  CON-1017
    ├── DuplicateStatement          42P05  CON-1018
    ├── UndefinedCursor             34000  CON-1019
    ├── DuplicateCursor             42P03  CON-1020
    ├── InvalidColumnReference      42P10  CON-1021
    ├── WindowingError              42P20  CON-1022
    ├── DuplicateAlias              42712  CON-1023
    ├── CannotCoerce                42846  CON-1024
    ├── UndefinedParameter          42P02  CON-1025
    ├── AmbiguousParameter          42P08  CON-1041
    ├── IndeterminateDatatype       42P18  CON-1042
    ├── InvalidCursorDefinition     42P11  CON-1060
    ├── InvalidName                 42602  CON-1061
    ├── CannotChangeSetting         55P02  CON-1062
    ├── DuplicateSchema             42P06  CON-1063
    ├── DuplicateObject             42710  CON-1064
    ├── InsufficientPrivilege       42501  CON-1070
    ├── ReservedName                42939  CON-1071
    ├── AmbiguousAlias              42P09  CON-1072
    ├── UndefinedSchema             3F000  CON-1080
    ├── InvalidObjectDefinition     42P17  CON-1100
    ├── GeneratedAlways             428C9  CON-1101
    ├── InvalidRecursion            42P19  CON-1090
    ├── AmbiguousFunction           42725  CON-1043
    ├── InvalidFunctionDefinition   42P13  CON-1110
    ├── DuplicateFunction           42723  CON-1111
    ├── InvalidTextRepresentation   22P02  CON-2001
    ├── DivisionByZero              22012  CON-2002
    ├── NumericOutOfRange           22003  CON-2003
    ├── NotNullViolation            23502  CON-2004
    ├── UniqueViolation             23505  CON-2005
    ├── CardinalityViolation        21000  CON-2006
    ├── BadCopyFormat               22P04  CON-2007
    ├── InvalidDatetime             22007  CON-2008
    ├── DataException               22000  CON-2009
    ├── DatetimeOverflow            22008  CON-2010
    ├── InvalidLimit                2201W  CON-2011
    ├── InvalidOffset               2201X  CON-2012
    ├── InvalidLogarithm            2201E  CON-2013
    ├── InvalidPower                2201F  CON-2014
    ├── InvalidSubstring            22011  CON-2015
    ├── ProgramLimitExceeded        54000  CON-2016
    ├── StringTooLong               22001  CON-2017
    ├── InvalidTimeZone             22009  CON-2018
    ├── CheckViolation              23514  CON-2100
    ├── SequenceLimit               2200H  CON-2101
    ├── InvalidRegularExpression    2201B  CON-2070
    ├── InvalidEscape               22025  CON-2071
    ├── InvalidBinaryRepresentation 22P03  CON-2041
    ├── CharacterNotInRepertoire    22021  CON-2042
    ├── NullNotAllowed              22004  CON-2043
    ├── InvalidFrameSize            22013  CON-2120
    ├── InvalidNtileArgument        22014  CON-2121
    ├── InvalidNthValueArgument     22016  CON-2122
    ├── ExternalRoutineError        38000  CON-2110
    ├── InvalidJsonSubscript        22033  CON-2091
    ├── NonNumericJsonItem          22036  CON-2092
    ├── SingletonJsonItemRequired   22038  CON-2093
    ├── JsonArrayNotFound           22039  CON-2094
    ├── JsonMemberNotFound          2203A  CON-2095
    ├── JsonNumberNotFound          2203B  CON-2096
    ├── ReadsOwnWritesThroughView   25001  CON-3001
    ├── InFailedTransaction         25P02  CON-3002
    ├── SerializationFailure        40001  CON-3003
    ├── NoActiveTransaction         25P01  CON-3004
    ├── ReadOnlyTransaction         25006  CON-3005
    ├── UndefinedSavepoint          3B001  CON-3006
    ├── ActiveTransaction           25001  CON-3060
    ├── IdleInTransactionTimeout    25P03  CON-3061
    ├── QueryCanceled               57014  CON-4001
    ├── ShuttingDown                57P01  CON-4002
    ├── SubscriberTooSlow           54000  CON-4003
    ├── HistoryExpired              55000  CON-4004
    ├── LimitExceeded               54001  CON-4005
    ├── RelationUnusable            55000  CON-4006
    ├── DiskFull                    53100  CON-4007
    ├── ObjectNotReady              55000  CON-4100
    ├── ObjectInUse                 55006  CON-4101
    ├── SinkFailure                 55000  CON-4150
    ├── ScrollRefused               55000  CON-4060
    ├── IdleSessionTimeout          57P05  CON-4061
    ├── AddressInUse                58000  CON-5001
    ├── ConnectorFailure            58030  CON-5002
    ├── CorruptState                XX001  CON-5003
    ├── MissingExtra                0A000  CON-5004
    ├── ProtocolViolation           08P01  CON-5005
    ├── DirectoryInUse              F0001  CON-5006
    ├── StorageFailure              58030  CON-5007
    ├── TooManyConnections          53300  CON-5008
    └── InternalError               XX000  CON-9001

A message is lower case, names the object and has no full stop; what to do
about it is the hint. ``position`` counts characters of the statement from 1,
as the wire protocol's field ``P`` does, so psql draws its caret under it.
"""

from __future__ import annotations

from typing import ClassVar, Self


class ConstellationError(Exception):
    """The root: a SQLSTATE, a stable code, and what Postgres' error fields carry."""

    sqlstate: ClassVar[str] = "XX000"
    code: ClassVar[str] = "CON-9001"

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        position: int | None = None,
        context: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position
        self.context = context  # where in the data it happened: ``COPY t, line 3, column b: "x"``
        self.schema: str | None = None
        self.table: str | None = None
        self.column: str | None = None
        self.constraint: str | None = None

    def at(self, position: int | None) -> ConstellationError:
        """The same error with ``position`` filled in where it has none."""
        if self.position is None:
            self.position = position
        return self

    def about(self, schema: str, table: str, *, column: str | None = None, constraint: str | None = None) -> Self:
        """The same error with what it is about, for programs that would else have to read the message."""
        self.schema, self.table, self.column, self.constraint = schema, table, column, constraint
        return self


class SqlSyntaxError(ConstellationError):
    sqlstate, code = "42601", "CON-1001"


class UndefinedRelation(ConstellationError):
    sqlstate, code = "42P01", "CON-1002"


class UndefinedColumn(ConstellationError):
    sqlstate, code = "42703", "CON-1003"


class UndefinedFunction(ConstellationError):
    sqlstate, code = "42883", "CON-1004"


class AmbiguousColumn(ConstellationError):
    sqlstate, code = "42702", "CON-1005"


class DuplicateRelation(ConstellationError):
    sqlstate, code = "42P07", "CON-1006"


class DuplicateColumn(ConstellationError):
    sqlstate, code = "42701", "CON-1007"


class WrongObjectType(ConstellationError):
    sqlstate, code = "42809", "CON-1008"


class DependentObjects(ConstellationError):
    sqlstate, code = "2BP01", "CON-1009"


class DatatypeMismatch(ConstellationError):
    sqlstate, code = "42804", "CON-1010"


class GroupingError(ConstellationError):
    sqlstate, code = "42803", "CON-1011"


class InvalidParameter(ConstellationError):
    sqlstate, code = "22023", "CON-1012"


class InvalidDefinition(ConstellationError):
    sqlstate, code = "42P16", "CON-1013"


class FeatureNotSupported(ConstellationError):
    sqlstate, code = "0A000", "CON-1014"


class UndefinedDatabase(ConstellationError):
    sqlstate, code = "3D000", "CON-1015"


class UndefinedObject(ConstellationError):
    sqlstate, code = "42704", "CON-1016"


class UndefinedStatement(ConstellationError):
    sqlstate, code = "26000", "CON-1017"


class DuplicateStatement(ConstellationError):
    sqlstate, code = "42P05", "CON-1018"


class UndefinedCursor(ConstellationError):
    sqlstate, code = "34000", "CON-1019"


class DuplicateCursor(ConstellationError):
    sqlstate, code = "42P03", "CON-1020"


class InvalidColumnReference(ConstellationError):
    sqlstate, code = "42P10", "CON-1021"


class WindowingError(ConstellationError):
    sqlstate, code = "42P20", "CON-1022"


class DuplicateAlias(ConstellationError):
    sqlstate, code = "42712", "CON-1023"


class CannotCoerce(ConstellationError):
    sqlstate, code = "42846", "CON-1024"


class UndefinedParameter(ConstellationError):
    sqlstate, code = "42P02", "CON-1025"


class AmbiguousParameter(ConstellationError):
    sqlstate, code = "42P08", "CON-1041"


class IndeterminateDatatype(ConstellationError):
    sqlstate, code = "42P18", "CON-1042"


class InvalidCursorDefinition(ConstellationError):
    sqlstate, code = "42P11", "CON-1060"


class InvalidName(ConstellationError):
    sqlstate, code = "42602", "CON-1061"


class CannotChangeSetting(ConstellationError):
    sqlstate, code = "55P02", "CON-1062"


class DuplicateSchema(ConstellationError):
    sqlstate, code = "42P06", "CON-1063"


class DuplicateObject(ConstellationError):
    sqlstate, code = "42710", "CON-1064"


class InsufficientPrivilege(ConstellationError):
    sqlstate, code = "42501", "CON-1070"


class ReservedName(ConstellationError):
    sqlstate, code = "42939", "CON-1071"


class AmbiguousAlias(ConstellationError):
    sqlstate, code = "42P09", "CON-1072"


class UndefinedSchema(ConstellationError):
    sqlstate, code = "3F000", "CON-1080"


class InvalidObjectDefinition(ConstellationError):
    sqlstate, code = "42P17", "CON-1100"


class GeneratedAlways(ConstellationError):
    sqlstate, code = "428C9", "CON-1101"


class InvalidRecursion(ConstellationError):
    sqlstate, code = "42P19", "CON-1090"


class AmbiguousFunction(ConstellationError):
    sqlstate, code = "42725", "CON-1043"


class InvalidFunctionDefinition(ConstellationError):
    sqlstate, code = "42P13", "CON-1110"


class DuplicateFunction(ConstellationError):
    sqlstate, code = "42723", "CON-1111"


class InvalidTextRepresentation(ConstellationError):
    sqlstate, code = "22P02", "CON-2001"


class DivisionByZero(ConstellationError):
    sqlstate, code = "22012", "CON-2002"


class NumericOutOfRange(ConstellationError):
    sqlstate, code = "22003", "CON-2003"


class NotNullViolation(ConstellationError):
    sqlstate, code = "23502", "CON-2004"


class UniqueViolation(ConstellationError):
    sqlstate, code = "23505", "CON-2005"


class CardinalityViolation(ConstellationError):
    sqlstate, code = "21000", "CON-2006"


class BadCopyFormat(ConstellationError):
    sqlstate, code = "22P04", "CON-2007"


class InvalidDatetime(ConstellationError):
    sqlstate, code = "22007", "CON-2008"


class DataException(ConstellationError):
    sqlstate, code = "22000", "CON-2009"


class DatetimeOverflow(ConstellationError):
    sqlstate, code = "22008", "CON-2010"


class InvalidLimit(ConstellationError):
    sqlstate, code = "2201W", "CON-2011"


class InvalidOffset(ConstellationError):
    sqlstate, code = "2201X", "CON-2012"


class InvalidLogarithm(ConstellationError):
    sqlstate, code = "2201E", "CON-2013"


class InvalidPower(ConstellationError):
    sqlstate, code = "2201F", "CON-2014"


class InvalidSubstring(ConstellationError):
    sqlstate, code = "22011", "CON-2015"


class ProgramLimitExceeded(ConstellationError):
    sqlstate, code = "54000", "CON-2016"


class StringTooLong(ConstellationError):
    sqlstate, code = "22001", "CON-2017"


class InvalidTimeZone(ConstellationError):
    sqlstate, code = "22009", "CON-2018"


class CheckViolation(ConstellationError):
    sqlstate, code = "23514", "CON-2100"


class SequenceLimit(ConstellationError):
    sqlstate, code = "2200H", "CON-2101"


class InvalidRegularExpression(ConstellationError):
    sqlstate, code = "2201B", "CON-2070"


class InvalidEscape(ConstellationError):
    sqlstate, code = "22025", "CON-2071"


class InvalidBinaryRepresentation(ConstellationError):
    sqlstate, code = "22P03", "CON-2041"


class CharacterNotInRepertoire(ConstellationError):
    sqlstate, code = "22021", "CON-2042"


class NullNotAllowed(ConstellationError):
    sqlstate, code = "22004", "CON-2043"


class InvalidFrameSize(ConstellationError):
    sqlstate, code = "22013", "CON-2120"


class InvalidNtileArgument(ConstellationError):
    sqlstate, code = "22014", "CON-2121"


class InvalidNthValueArgument(ConstellationError):
    sqlstate, code = "22016", "CON-2122"


class ExternalRoutineError(ConstellationError):
    """A function in Python raised."""

    sqlstate, code = "38000", "CON-2110"


class InvalidJsonSubscript(ConstellationError):
    sqlstate, code = "22033", "CON-2091"


class NonNumericJsonItem(ConstellationError):
    sqlstate, code = "22036", "CON-2092"


class SingletonJsonItemRequired(ConstellationError):
    sqlstate, code = "22038", "CON-2093"


class JsonArrayNotFound(ConstellationError):
    sqlstate, code = "22039", "CON-2094"


class JsonMemberNotFound(ConstellationError):
    sqlstate, code = "2203A", "CON-2095"


class JsonNumberNotFound(ConstellationError):
    sqlstate, code = "2203B", "CON-2096"


class ReadsOwnWritesThroughView(ConstellationError):
    sqlstate, code = "25001", "CON-3001"


class InFailedTransaction(ConstellationError):
    sqlstate, code = "25P02", "CON-3002"


class SerializationFailure(ConstellationError):
    sqlstate, code = "40001", "CON-3003"


class NoActiveTransaction(ConstellationError):
    sqlstate, code = "25P01", "CON-3004"


class ReadOnlyTransaction(ConstellationError):
    sqlstate, code = "25006", "CON-3005"


class UndefinedSavepoint(ConstellationError):
    sqlstate, code = "3B001", "CON-3006"


class ActiveTransaction(ConstellationError):
    sqlstate, code = "25001", "CON-3060"


class IdleInTransactionTimeout(ConstellationError):
    sqlstate, code = "25P03", "CON-3061"


class QueryCanceled(ConstellationError):
    sqlstate, code = "57014", "CON-4001"


class ShuttingDown(ConstellationError):
    sqlstate, code = "57P01", "CON-4002"


class SubscriberTooSlow(ConstellationError):
    sqlstate, code = "54000", "CON-4003"


class HistoryExpired(ConstellationError):
    sqlstate, code = "55000", "CON-4004"


class LimitExceeded(ConstellationError):
    sqlstate, code = "54001", "CON-4005"


class RelationUnusable(ConstellationError):
    """It was dropped under its reader, or the view's job failed: no further epoch will come."""

    sqlstate, code = "55000", "CON-4006"


class DiskFull(ConstellationError):
    sqlstate, code = "53100", "CON-4007"


class ObjectNotReady(ConstellationError):
    sqlstate, code = "55000", "CON-4100"


class ObjectInUse(ConstellationError):
    sqlstate, code = "55006", "CON-4101"


class SinkFailure(ConstellationError):
    """What trying again does not mend: the sink stops, and says why."""

    sqlstate, code = "55000", "CON-4150"


class ScrollRefused(ConstellationError):
    sqlstate, code = "55000", "CON-4060"


class IdleSessionTimeout(ConstellationError):
    sqlstate, code = "57P05", "CON-4061"


class AddressInUse(ConstellationError):
    sqlstate, code = "58000", "CON-5001"


class ConnectorFailure(ConstellationError):
    sqlstate, code = "58030", "CON-5002"


class CorruptState(ConstellationError):
    sqlstate, code = "XX001", "CON-5003"


class MissingExtra(ConstellationError):
    sqlstate, code = "0A000", "CON-5004"


class ProtocolViolation(ConstellationError):
    sqlstate, code = "08P01", "CON-5005"


class DirectoryInUse(ConstellationError):
    sqlstate, code = "F0001", "CON-5006"


class StorageFailure(ConstellationError):
    """A write or sync failed. Never retried: what the disk now holds is unknown until it is opened anew."""

    sqlstate, code = "58030", "CON-5007"


class TooManyConnections(ConstellationError):
    sqlstate, code = "53300", "CON-5008"


class InternalError(ConstellationError):
    """Ours to fix: something that must be true was not."""


def all_errors() -> list[type[ConstellationError]]:
    """Every class of the tree, in the order of the docstring."""
    return [value for value in globals().values() if isinstance(value, type) and issubclass(value, ConstellationError)]
