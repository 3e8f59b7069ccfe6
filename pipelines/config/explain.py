"""What pydantic finds wrong with a configuration, in words: key, value, the nearest valid one."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from pipelines.config.sections import nearest
from pipelines.redaction import redacted, redacted_value

NAMES_OF_SECRETS = ("source.uri_env", "ledger.uri_env", "governance.pseudonym_key_env")
"""Keys that name an environment variable; what is given them by mistake may be the secret."""

LONGEST_SHOWN = 120
"""Characters shown of a value that is not valid."""


def explain(error: ValidationError, model: type[BaseModel]) -> Iterable[str]:
    """Yield one message for every problem of a file that ``model`` was to read."""
    for problem in error.errors():
        location = [str(part) for part in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            valid = _fields_of(location[:-1], model)
            place = f"[{'.'.join(location[:-1])}]" if location[:-1] else "the top level"
            yield f"unknown key '{location[-1]}' in {place}{nearest(location[-1], valid)}"
        elif problem["type"] == "missing":
            yield f"missing key '{'.'.join(location)}'"
        elif problem["type"] == "tuple_type":
            given = problem["input"]
            example = f"; write [{json.dumps(given)}]" if isinstance(given, str) else ""
            yield f"{'.'.join(location)}: expected a list (found {given!r}){example}"
        else:
            message = problem["msg"].removeprefix("Value error, ")
            place = ".".join(location)
            yield f"{place or 'configuration'}: {message}{_found(place, problem['input'])}"


def _found(place: str, given: Any) -> str:
    """Show what was found, in short; nothing where it may be a secret."""
    if isinstance(given, dict) or place.startswith((*NAMES_OF_SECRETS, "source.spark_options")):
        return ""
    # Hidden first and cut then: half a URI is none that could be told.
    text = repr(redacted_value(given)) if isinstance(given, str) else redacted(repr(given))
    shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return f" (found {shown})"


def _fields_of(location: list[str], model: type[BaseModel]) -> list[str]:
    parts = iter(location)
    for part in parts:
        if part not in model.model_fields:  # the number of one of a list
            continue
        annotation = model.model_fields[part].annotation
        kinds = (annotation, *typing.get_args(annotation))
        nested = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not nested:
            return []
        model = nested[0]
        if typing.get_origin(annotation) is dict:
            next(parts, None)  # the name that somebody gave
    return list(model.model_fields)
