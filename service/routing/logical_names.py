"""The mapping between the logical names that routes use and the actual names of this deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import SettingsError
from .index_names import is_index_pattern
from .patterns import is_plain

KINDS = ("table", "bucket", "index", "queue", "pipeline")


class Names:
    """The setting `names`, such as {"table/images": "images-lab"}. A name that is not mapped is used unchanged.

    An index pattern is mapped to a pattern. The text that the `*` stands for stays the same. `into` is an actual
    index and the index that is filled instead of it.

    Raises SettingsError for a key without a kind, for two logical names with the same actual name, and for a
    pattern that is mapped to no pattern.
    """

    def __init__(self, mapping: Mapping[str, str] | None = None, into: tuple[str, str] | None = None):
        self.into = into
        self._actual: dict[tuple[str, str], str] = {}
        self._logical: dict[tuple[str, str], str] = {}
        for key, actual in (mapping or {}).items():
            kind, slash, logical = key.partition("/")
            if kind not in KINDS or not slash or not logical:
                raise SettingsError(
                    f"names: {key!r} must have the form KIND/NAME, where KIND is one of {', '.join(KINDS)}"
                )
            if kind == "index" and not (is_plain(logical) and is_plain(actual)):
                self._check_patterns(key, logical, actual)
            twin = self._logical.setdefault((kind, actual), logical)
            if twin != logical:
                raise SettingsError(
                    f"names: {kind} {actual!r} is mapped from both {twin!r} and {logical!r}."
                    f" Map each logical name to its own {kind}."
                )
            self._actual[kind, logical] = actual

    @staticmethod
    def _check_patterns(key: str, logical: str, actual: str) -> None:
        if not (is_index_pattern(logical) and is_index_pattern(actual)):
            raise SettingsError(
                f"names: {key!r} is mapped to {actual!r}. Map an index pattern to another one: each must be a"
                " valid index name with one * that is not its first character."
            )

    def filling(self, index: str, other: str) -> Names:
        """Return the same names, with the index `other` in place of `index` (actual names)."""
        mapping = {f"{kind}/{logical}": actual for (kind, logical), actual in self._actual.items()}
        return Names(mapping, (index, other))

    def actual(self, kind: str, logical: str) -> str:
        """Return the actual name of a logical name. Raises SettingsError if another name is mapped to it."""
        found = self._actual.get((kind, logical))
        if found is not None:
            return found
        other = self._logical.get((kind, logical))
        if other is not None:
            raise SettingsError(
                f"names: {kind}/{other} is mapped to {logical!r}, which is also a logical name of routes."
                f" Map {kind}/{logical} as well."
            )
        return logical

    def existing(self, kind: str, name: str) -> str:
        """Return the actual name of a name that a user typed: a logical or an actual name."""
        return name if self.logical(kind, name) not in (None, name) else self.actual(kind, name)

    def logical(self, kind: str, actual: str) -> str | None:
        """Return the logical name of an actual name; None if it is the logical name of something else."""
        found = self._logical.get((kind, actual))
        if found is not None:
            return found
        return None if (kind, actual) in self._actual else actual

    def index(self, logical: str) -> str:
        """Return the actual name of the index, or index pattern, that a route declares. See `into`."""
        actual = self.actual("index", logical)
        return self.into[1] if self.into is not None and actual == self.into[0] else actual

    def actuals(self, kind: str, fits: Callable[[str], bool]) -> list[str]:
        """Return the actual names of the mapped logical names for which `fits` is true."""
        return [actual for (of, logical), actual in self._actual.items() if of == kind and fits(logical)]
