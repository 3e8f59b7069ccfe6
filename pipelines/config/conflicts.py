"""Keys that contradict each other, or that nothing would read: each is said, none passes."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.config.sections import (
    PARTS,
    Columns,
    Consent,
    Control,
    Currencies,
    Governance,
    Source,
)

_FILES = ("csv", "json", "excel", "parquet")
_DATABASES = ("duckdb", "postgres", "uri")
_READ_BY = {
    "preset": (*_FILES, *_DATABASES, "spark"),
    "dataset": ("lifetimes",),
    "path": (*_FILES, "duckdb", "spark"),
    "table": (*_DATABASES, "spark"),
    "uri_env": ("postgres", "uri"),
    "delimiter": ("csv",),
    "encoding": ("csv",),
    "null_values": ("csv", "json", "excel"),
    "sheets": ("excel",),
    "hive_partitioning": ("csv", "parquet"),
    "memory_limit": ("lifetimes", *_FILES, *_DATABASES),
    "threads": ("lifetimes", *_FILES, *_DATABASES),
    "temp_directory": ("lifetimes", *_FILES, *_DATABASES),
    "format": ("spark",),
    "spark_options": ("spark",),
}
"""Kinds of source that read a key; Spark also reads those of text, where its format is CSV."""
_OF_TEXT = ("delimiter", "encoding", "null_values")


def conflicts(
    source: Source,
    columns: Columns,
    consent: Consent | None,
    governance: Governance,
    currencies: Currencies | None,
) -> Iterator[str]:
    """Say what of a configuration would have no effect, or speaks against another part of it."""
    yield from _of_source(source, consent)
    yield from _of_prices(columns, governance)
    if columns.refunded is not None and governance.refunds != "net":
        yield (
            f"columns.refunded has no effect where governance.refunds is '{governance.refunds}'; "
            "set that to 'net', or take the column out"
        )
    if currencies is not None and columns.currency is None and not currencies.converted:
        yield (
            "[currencies] needs columns.currency, the column that says which one an amount is in; "
            "name it, or take [currencies] out"
        )
    if governance.non_product_codes and columns.product_code is None:
        yield (
            "governance.non_product_codes needs columns.product_code, the column that holds the "
            "codes; name it, or take the codes out"
        )
    if consent is not None and columns.consent is not None:
        yield (
            "columns.consent and [consent] both say who consented; keep the column of the log, or "
            "the log of grants and withdrawals"
        )
    said = "[consent]" if consent is not None else "columns.consent"
    given = consent is not None or columns.consent is not None
    if given and "consent" not in governance.model_fields_set:
        yield (
            f"{said} has no effect without governance.consent; set it to 'exclude' or "
            "'aggregate_only', or to 'ignore' where consent shall not count"
        )


def of_control(source: Source, control: Control | None) -> Iterator[str]:
    """Say where the totals of another system cannot be."""
    beside = source.kind in _DATABASES or (source.kind == "spark" and source.table is not None)
    if control is not None and control.table is not None and not beside:
        yield (
            f"control.table: source kind '{source.kind}' holds no tables; name a file with "
            "control.path"
        )


def _of_prices(columns: Columns, governance: Governance) -> Iterator[str]:
    """Parts of a price: each has a column, and it is said whether amounts hold it."""
    for key in ("amount_includes", "revenue_includes"):
        for part in getattr(governance, key) or ():
            if part not in columns.parts:
                yield f"governance.{key} names {part}, and columns.{part} names no column of it"
    if columns.parts and governance.amount_includes is None:
        yield (
            f"columns.{next(iter(columns.parts))} names a part of a price, and nothing says "
            "whether the amounts hold it; set governance.amount_includes to a list of those of "
            f"{', '.join(PARTS)} that they hold ([] for none)"
        )
    if governance.revenue_includes is not None and not columns.parts:
        yield (
            "governance.revenue_includes needs a column of each part: columns."
            + ", columns.".join(PARTS)
        )


def _of_source(source: Source, consent: Consent | None) -> Iterator[str]:
    kind = source.kind
    # A consent file is read like the log.
    text = (consent is not None and consent.path is not None) or (
        kind == "spark" and source.format == "csv" and source.path is not None
    )
    for key, kinds in _READ_BY.items():
        default = Source.model_fields[key].default
        if getattr(source, key) == default or kind in kinds or (text and key in _OF_TEXT):
            continue
        readers = ", ".join(f"'{reader}'" for reader in kinds)
        yield f"source.{key} has no effect on kind = '{kind}' (it is of {readers}); take it out"
    if kind == "spark" and source.table and source.format != Source.model_fields["format"].default:
        yield "source.format is of the files at source.path; take it out beside source.table"
    if consent is not None and consent.table is not None and kind in ("lifetimes", *_FILES):
        yield (
            f"consent.table: source kind '{kind}' holds no tables; name a file with consent.path"
        )
