"""Maps: JSON objects with their keys in order, one key once, values of one type."""

from __future__ import annotations
