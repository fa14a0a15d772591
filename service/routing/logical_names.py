"""The mapping between the logical names that routes use and the actual names of this deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import SettingsError

KINDS = ("table", "bucket", "index", "queue", "pipeline")


class Names:
    """The setting `names`, such as {"table/images": "images-lab"}. A name that is not mapped is used unchanged.

    Raises SettingsError for a key without a kind, and for two logical names with the same actual name.
    """

    def __init__(self, mapping: Mapping[str, str] | None = None):
        self._actual: dict[tuple[str, str], str] = {}
        self._logical: dict[tuple[str, str], str] = {}
        for key, actual in (mapping or {}).items():
            kind, slash, logical = key.partition("/")
            if kind not in KINDS or not slash or not logical:
                raise SettingsError(
                    f"names: {key!r} must have the form KIND/NAME, where KIND is one of {', '.join(KINDS)}"
                )
            twin = self._logical.setdefault((kind, actual), logical)
            if twin != logical:
                raise SettingsError(
                    f"names: {kind} {actual!r} is mapped from both {twin!r} and {logical!r}."
                    f" Map each logical name to its own {kind}."
                )
            self._actual[kind, logical] = actual

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

    def actuals(self, kind: str, fits: Callable[[str], bool]) -> list[str]:
        """Return the actual names of the mapped logical names for which `fits` is true."""
        return [actual for (of, logical), actual in self._actual.items() if of == kind and fits(logical)]
