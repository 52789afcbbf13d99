"""The scratch space of this process: who gets a mapping, and whose pages go."""

from __future__ import annotations

import errno
import sys
import threading
import weakref
from collections import deque
from pathlib import Path

from constellationdb.errors import DiskFull, FeatureNotSupported, StorageFailure
from constellationdb.storage.scratch.mapping import Mapping, ScratchFile, whole_pages
from constellationdb.storage.scratch.resident import Resident, resident

_LEAST_BYTES = 256 << 10  # smaller arrays are ordinary memory, unless the budget is tiny
_SPAN = 1 << 20  # let go at a time
_LOOK_SECONDS = 0.01


class ScratchSpace:
    """``budget``: the bytes that this process may hold beyond what it held when this was made. ``start`` once.

    ``disk_limit``: the most bytes of files.
    """

    def __init__(self, directory: Path, budget: int, disk_limit: int | None = None) -> None:
        if sys.platform != "linux":
            raise FeatureNotSupported("state_memory_budget needs Linux")
        self.budget, self.disk_limit, self.directory = budget, disk_limit, directory
        self._least = min(_LEAST_BYTES, max(budget >> 10, 1))
        self._files: dict[int, int] = {}  # their sizes, by id
        self._mappings: deque[weakref.ref[Mapping]] = deque()  # those whose turn is next first
        self._refused: dict[int, DiskFull] = {}  # by thread
        self.made = 0  # mappings so far
        self._before = resident()
        self._trimming = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_within, name="state memory", daemon=True)

    def start(self) -> None:
        global _current
        _current = self
        self._thread.start()

    def stop(self) -> None:
        """What lies here stays for as long as somebody has it; nothing more comes."""
        global _current
        if _current is self:
            _current = None
        if self._thread.is_alive():
            self._stopped.set()
            self._thread.join()

    # -- who gets a mapping --------------------------------------------------------------------

    def wants(self, size: int) -> bool:
        """Whether so many bytes more should lie here, and not in ordinary memory."""
        return size >= self._least and self._grown().own + size > self.budget // 2

    def make(self, size: int, *, grows: bool = True) -> Mapping | None:
        """Zeros; None, and a refusal, when there is no room."""
        try:
            file = ScratchFile(self.directory, self._closed)
        except OSError as error:
            self._refuse(size, error)
            return None
        mapping = self.extend(file, size)
        if not grows:
            file.finish()
        return mapping

    def extend(self, file: ScratchFile, size: int) -> Mapping | None:
        """The file with more behind it; what was mapped of it shows the same bytes. None when there is no room."""
        size = whole_pages(max(size, 1))
        more = size - file.size
        try:
            if self.disk_limit is not None and self.used + more > self.disk_limit:
                raise OSError(errno.EDQUOT, "state_disk_limit is reached")
            file.extend(size)
            self._files[id(file)] = size
            mapping = Mapping(file)
        except OSError as error:
            self._refuse(more, error)
            return None
        self._mappings.append(weakref.ref(mapping))
        self.made += 1
        return mapping

    @property
    def used(self) -> int:
        """The bytes of all files."""
        return sum(list(self._files.values()))

    def mappings(self) -> list[Mapping]:
        """Those there are, in the order of their addresses."""
        found = (turn() for turn in list(self._mappings))
        return sorted((m for m in found if m is not None), key=lambda m: m.address)

    def _closed(self, file: ScratchFile) -> None:
        self._files.pop(id(file), None)

    # -- without room --------------------------------------------------------------------------

    def _refuse(self, size: int, error: OSError) -> None:
        if self._grown().own + size > self.budget:
            self._refused[threading.get_ident()] = self._disk_full(error)

    def _disk_full(self, error: OSError) -> DiskFull:
        if error.errno == errno.EDQUOT and self.disk_limit is not None:
            return DiskFull(
                f"state size exceeds state_disk_limit ({self.disk_limit >> 10}kB)",
                hint="Raise state_disk_limit or state_memory_budget, or drop views.",
            )
        return DiskFull(
            f'could not extend a file in "{self.directory}": {error.strerror}', hint="Check free disk space."
        )

    def take_refusal(self) -> DiskFull | None:
        """Why this thread got ordinary memory beyond the budget since it last asked."""
        return self._refused.pop(threading.get_ident(), None)

    def has_room(self) -> bool:
        """Whether a step may go on: there is memory left, or a file of a span's size can be made."""
        if self._grown().own + _SPAN <= self.budget:
            return True
        if self.disk_limit is not None and self.used + _SPAN > self.disk_limit:
            return False
        try:
            ScratchFile(self.directory, lambda _: None).extend(_SPAN)
        except OSError:
            return False
        return True

    # -- whose pages go ------------------------------------------------------------------------

    def _grown(self) -> Resident:
        now = resident()
        # What held memory before this was made may give some back: that is no more room than the budget says.
        least = self._before = Resident(min(self._before.own, now.own), min(self._before.mapped, now.mapped))
        return Resident(now.own - least.own, now.mapped - least.mapped)

    def trim(self) -> None:
        """Let pages go, in turns, until the budget is kept; a quarter of it is always left for them."""
        if not self._trimming.acquire(blocking=False):
            return
        try:
            grown = self._grown()
            allowed = max(self.budget - grown.own, self.budget // 4)
            if grown.mapped > allowed:
                self._let_go(allowed - allowed // 8)
        finally:
            self._trimming.release()

    def _let_go(self, allowed: int) -> None:
        left = self.used // _SPAN + 2 * len(self._mappings)
        while left > 0 and self._mappings and self._grown().mapped > allowed:
            left -= self._let_go_some()

    def _let_go_some(self) -> int:
        """Some spans, of the mappings whose turn it is: how many."""
        for count in range(8):
            try:
                turn = self._mappings.popleft()
            except IndexError:
                return count + 1
            mapping = turn()
            if mapping is None:
                continue
            mapping.let_go(mapping.let_go_until, _SPAN)
            mapping.let_go_until += _SPAN
            if mapping.let_go_until < mapping.size:
                self._mappings.appendleft(turn)
            else:
                mapping.let_go_until = 0
                self._mappings.append(turn)
        return 8

    def _keep_within(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            self.trim()


_current: ScratchSpace | None = None


def current() -> ScratchSpace | None:
    return _current


def open_space(directory: Path | None, budget: int | None, disk_limit: int | None) -> ScratchSpace | None:
    """The space of a database with a budget, started; in the directory for temporary files if it has none."""
    import tempfile

    if budget is None:
        return None
    space = ScratchSpace(Path(tempfile.gettempdir()) if directory is None else directory, budget, disk_limit)
    try:
        ScratchFile(space.directory, lambda _: None)
    except OSError as error:
        raise StorageFailure(f'could not write to "{space.directory}": {error.strerror}') from error
    space.start()
    return space
