"""What the blobs of a relation are called in a checkpoint: ``<kind>/<name>/…``, whatever is in the name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["contents", "job", "answers", "history", "marks"]
HISTORY = ("history/", "marks/")
_KINDS: tuple[Kind, ...] = ("contents", "job", "history", "marks")


def group(kind: Kind, name: str) -> str:
    """Without the last slash. A slash in the name would make it look like a part of another relation."""
    return f"{kind}/{name.replace('%', '%25').replace('/', '%2F')}"


def escaped(blobs: Mapping[str, str], relations: Iterable[str]) -> dict[str, str]:
    """The blobs of a checkpoint of a release that wrote names as they are."""
    prefixes = {f"{kind}/{name}/": f"{group(kind, name)}/" for name in relations for kind in _KINDS}
    longest_first = sorted((p for p in prefixes if prefixes[p] != p), key=len, reverse=True)
    if not longest_first:
        return dict(blobs)
    return {_renamed(name, prefixes, longest_first): key for name, key in blobs.items()}


def _renamed(name: str, prefixes: Mapping[str, str], longest_first: list[str]) -> str:
    old = next((prefix for prefix in longest_first if name.startswith(prefix)), None)
    return name if old is None else prefixes[old] + name[len(old) :]
