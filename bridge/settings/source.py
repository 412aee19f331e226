"""The settings of a running service: read again when the file or a console document changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bridge.errors import ConfigError, ConfigErrors
from bridge.settings.console_connections import settled, twice
from bridge.settings.load import PSA, load
from bridge.settings.model import Organization, Settings
from bridge.settings.overrides import overridden, with_overrides
from bridge.settings.schema import ProviderRules

logger = logging.getLogger(__name__)

Documents = Mapping[str, Mapping[str, Any]]


class Signature(NamedTuple):
    """What tells two states of a file apart."""

    inode: int
    changed: int
    size: int


def _settled(file: Settings, documents: Documents) -> dict[str, Mapping[str, Any]]:
    known = {key: found.connections for key, found in file.organizations.items()}
    return {key: settled(document, known.get(key, {})) for key, document in documents.items()}


class Source:
    """Holds the last good settings. `problem` says why newer ones are not in use, None where they are.

    A change is looked for at most once per `interval` seconds of `clock`, when `current` is called. A file that
    is written in place, not replaced, counts as changed only when it has stood still for an `interval`: half of a
    file can be good YAML. `usable` raises ConfigError for new settings that cannot take the place of the old ones.
    Where the service listens, its number of processes and its database change only with a restart.
    """

    def __init__(
        self,
        path: Path,
        *,
        adapters: Mapping[str, type[PSA]],
        providers: Mapping[str, ProviderRules],
        overrides: Callable[[], Documents] = dict,
        clock: Callable[[], float] = time.monotonic,
        interval: float = 1.0,
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
        usable: Callable[[Settings, Settings], None] = lambda _new, _old: None,
    ) -> None:
        """Read the file at once; ConfigError or ConfigErrors where it cannot be used."""
        self.path, self.adapters, self.providers = path, adapters, providers
        self.overrides, self.clock, self.interval = overrides, clock, interval
        # Relative paths must mean the same on every reading, whatever becomes of the working folder.
        self.folder, self.environ = folder or Path.cwd(), environ
        self.usable = usable
        self.problem: ConfigError | None = None
        self._of_file: ConfigError | None = None
        self.pending_restart: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._signature = self._noticed = self._stat()
        self._file = self._load()
        self._documents = self._read_documents()
        self._started = self._file
        self._settings = self._first()
        self._looked = clock()

    def current(self) -> Settings:
        """Return the settings that hold, after looking for changes if it is time to."""
        # Whoever comes while another thread looks is not kept waiting: its database may be slow or away.
        if self._lock.acquire(blocking=False):
            try:
                if self.clock() - self._looked >= self.interval:
                    self._looked = self.clock()
                    self._refresh()
            finally:
                self._lock.release()
        return self._settings

    @property
    def held(self) -> Settings:
        """The settings that hold, without looking for changes: nobody is kept waiting by a database."""
        return self._settings

    def reload(self) -> Settings:
        """Look for changes now; for the process that has just stored a console document."""
        with self._lock:
            self._looked = self.clock()
            self._refresh()
            return self._settings

    def file(self) -> Settings:
        """Return the settings as in the file, without console documents."""
        with self._lock:
            return self._file

    def _stat(self) -> Signature | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return Signature(found.st_ino, found.st_mtime_ns, found.st_size)

    def _load(self) -> Settings:
        return load(
            self.path,
            adapters=self.adapters,
            providers=self.providers,
            folder=self.folder,
            environ=self.environ,
        )

    def _read_documents(self) -> dict[str, Mapping[str, Any]]:
        return {key: document for key, document in self.overrides().items() if document}

    def _refresh(self) -> None:
        # The signature is taken before reading, so that a change while reading is seen next time.
        signature, documents = self._stable(), self._read_documents()
        if signature == self._signature and documents == self._documents:
            return
        if signature != self._signature:
            self._take(signature)
        try:
            self._settings = self._as_started(with_overrides(self._file, _settled(self._file, documents)))
        except ConfigError as error:
            self._refuse(error)
        else:
            self.problem = self._of_file
        self._documents = documents

    def _take(self, signature: Signature | None) -> None:
        """Put the changed file in the place of the old one, if it can be used."""
        try:
            file = self._load()
        except ConfigError as error:
            # A broken file is not read again until it changes again.
            self._signature, self._of_file = signature, error
            self._refuse(error)
            return
        try:
            self.usable(file, self._file)
        except ConfigError as error:
            # What is missing is outside the file, so it is tried again although the file stays as it is.
            self._of_file = error
            self._refuse(error)
            return
        self._signature, self._of_file, self._file = signature, None, file

    def _refuse(self, error: ConfigError) -> None:
        if str(error) != str(self.problem):
            logger.error("the changed configuration is not used: %s", error)
        self.problem = error

    def _stable(self) -> Signature | None:
        """Return the file's signature; the one in use while the file is being written."""
        found, before = self._stat(), self._noticed
        self._noticed = found
        growing = found is not None and before is not None and found != before and found.inode == before.inode
        return self._signature if growing else found

    def _as_started(self, settings: Settings) -> Settings:
        started = self._started
        self.pending_restart = tuple(
            name
            for name, now, then in (
                ("server.listen", settings.server.listen, started.server.listen),
                ("server.workers", settings.server.workers, started.server.workers),
                ("database", settings.database, started.database),
            )
            if now != then
        )
        server = replace(settings.server, listen=started.server.listen, workers=started.server.workers)
        return replace(settings, server=server, database=started.database)

    def _first(self) -> Settings:
        """Lay the documents over; an organization whose document does not fit starts with its AI off.

        The document may have switched something off, so it is not simply passed over; and the console must
        come up, because that is where the document is put right.
        """
        organizations: dict[str, Organization] = dict(self._file.organizations)
        errors: list[ConfigError] = []
        documents = _settled(self._file, self._documents)
        for key, found in self._file.organizations.items():
            if key not in documents:
                continue
            try:
                organizations[key] = overridden(self._file, key, documents[key])
            except ConfigErrors as error:
                logger.error("the AI of organization %s stays off: %s", key, error)
                errors.extend(error.errors)
                organizations[key] = replace(found, ai=replace(found.ai, enabled=False))
        for connection, key in twice(organizations):
            told = f"connections.{connection}: another organization has a connection of this id"
            errors.append(ConfigError(told, file=f"console settings of {key}"))
            organizations[key] = self._file.organizations[key]
            organizations[key] = replace(organizations[key], ai=replace(organizations[key].ai, enabled=False))
        if errors:
            self.problem = ConfigErrors(errors)
        return replace(self._file, organizations=organizations)
