"""Secrets kept out of what is told: passwords and tokens in URIs, connection strings and options.

A secret belongs in the environment; where one stands elsewhere by mistake, or a driver repeats it
in a message, it is neither printed nor saved.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

HIDDEN = "***"

_WORDS = r"password|passwd|passphrase|pwd|secret|token|credential|(?<![a-z])(?:sig|sas)(?![a-z])"
_KEYS = r"(?:access|account|api|encryption|private|secret|shared)[._-]?key(?![a-z])"

SECRET_NAME = re.compile(
    rf"(?i)({_WORDS}|{_KEYS})(?![\w.-]*(?:file|path|provider|class|store|type|endpoint|enabled)$)"
)
"""Names of parameters and options that hold one; not those that say where one is kept."""

_USER_INFO = re.compile(
    r"(?<=://)(?:[^\s'\"<>/@:]{0,200}:[^\s'\"<>]{0,2000}|[^\s'\"<>/@]{1,2000})(?=@)"
)
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|[^\s;,&)'\"]+)"
_NAMED = rf"(?:{_WORDS}|{_KEYS})[\w.-]{{0,60}}"
_ASSIGNED = re.compile(rf"(?i)({_NAMED}\s?=\s?){_VALUE}")
_TOLD = re.compile(rf"(?i)({_NAMED}['\"]?\s?=\s?|(?:{_WORDS}|{_KEYS})['\"]?\s?:(?!//)\s?){_VALUE}")
_AUTHORIZATION = re.compile(
    rf"(?i)(authorization['\"]?\s?[=:]\s?['\"]?(?:(?:bearer|basic|digest|token)\s+)?){_VALUE}"
)


def redacted(text: str) -> str:
    """Return a text with the user part of URIs and the values of secret parameters hidden."""
    for pattern in (_AUTHORIZATION, _TOLD):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return _USER_INFO.sub(HIDDEN, text)


def redacted_value(value: str) -> str:
    """As :func:`redacted`, for a whole value that may be one URI, whatever its password holds."""
    before, mark, rest = value.partition("://")
    user, at, place = rest.rpartition("@")
    whole = at and "/" not in user.partition(":")[0]
    return redacted(f"{before}{mark}{HIDDEN}@{place}" if whole else value)


def holds_secret(value: str) -> bool:
    """Return whether a value is a URI with a password or with a secret parameter.

    What is no URI may be a path, and folders are called ``token=5`` by whoever parts files so.
    """
    rest = value.partition("://")[2]
    user, colon, _ = rest.rpartition("@")[0].partition(":")
    found = _USER_INFO.search(value)
    parameters = re.search(r"[?;#].*", rest, re.DOTALL)
    return bool(
        (colon and "/" not in user)
        or (found and ":" in found[0])
        or (parameters and assigns_secret(parameters[0]))
    )


def assigns_secret(text: str) -> bool:
    """Return whether a text gives a secret parameter its value."""
    return _ASSIGNED.search(text) is not None


def secrets_in(uri: str) -> list[str]:
    """Return what must not be told of a connection URI, the longest first.

    The whole of it, its password, both as written and decoded, the parts of a password that reads
    like other parts of a URI, and the values of parameters that hold a secret.
    """
    password = uri.partition("://")[2].rpartition("@")[0].partition(":")[2]
    try:
        given = parse_qsl(urlsplit(uri).query, keep_blank_values=False)
    except ValueError:
        given = []
    values = [value for name, value in given if SECRET_NAME.search(name)]
    parts = [part for part in re.split(r"[/?#@:]", password) if len(part) > 2]
    written = [quote(value, safe="") for value in values]
    found = {uri, password, unquote(password), *parts, *values, *written}
    return sorted(filter(None, found), key=len, reverse=True)


def without(text: str, secrets: list[str], name: str) -> str:
    """Return a text in which secrets are replaced by the name of what holds them."""
    for secret in secrets:
        text = text.replace(secret, name)
    return redacted(text)


def cleanse(error: BaseException, secrets: list[str], name: str) -> None:
    """Apply :func:`without` to the texts of an exception and of those that it came from."""
    chain: list[BaseException] = [error]
    for one in chain:
        one.args = tuple(
            without(part, secrets, name) if isinstance(part, str) else part for part in one.args
        )
        earlier = (one.__cause__, one.__context__)
        chain += [other for other in earlier if other is not None and other not in chain]
