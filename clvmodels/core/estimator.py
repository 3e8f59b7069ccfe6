"""What every estimator can be asked: its settings, and that it says when it has not been fitted.

The contract is scikit-learn's, so that ``sklearn.base.clone`` works; nothing is imported for it.
"""

from __future__ import annotations

import difflib
import inspect
from typing import Any, Self

from clvmodels.core.errors import InvalidValueError, NotFittedError


class Estimator:
    """Settings, which ``__init__`` only stores, and learned names, which end in ``_``."""

    @classmethod
    def parameter_defaults(cls) -> dict[str, Any]:
        """The constructor's settings and their defaults."""
        given = list(inspect.signature(cls.__init__).parameters.values())[1:]
        return {setting.name: setting.default for setting in given}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings given to the constructor.

        Parameters
        ----------
        deep : bool
            Settings of settings too; no estimator here has any.
        """
        return {name: getattr(self, name) for name in self.parameter_defaults()}

    def set_params(self, **params: Any) -> Self:
        """Change settings; what was learned stays until the next fit.

        Raises
        ------
        InvalidValueError
            If there is no such setting.
        """
        defaults = self.parameter_defaults()
        for name in params:
            if name not in defaults:
                close = difflib.get_close_matches(name, defaults, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise InvalidValueError(
                    f"{type(self).__name__} has no setting {name} (it has "
                    f"{', '.join(defaults) or 'none'}){hint}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __getattr__(self, name: str) -> Any:
        learned = getattr(type(self), name, None)
        if isinstance(learned, property) and learned.fget is not None and self._is_fitted:
            return learned.fget(self)  # raises anew what made the look-up fail
        if name.endswith("_") and not name.startswith("_"):
            raise NotFittedError(f"{type(self).__name__} has no {name} yet: call fit first")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _is_fitted(self) -> bool:
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def _require_fit(self) -> None:
        """Raise NotFittedError, in the same words, before anything is asked of a fit."""
        if not self._is_fitted:
            raise NotFittedError(f"{type(self).__name__} has not been fitted yet: call fit first")
