"""What a log can afford to estimate, and what was learned from it, in words and numbers."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.cohort_model import CohortModel
from clvmodels.cohort_rates import RateOptions
from clvmodels.cohort_table import CohortTable
from clvmodels.intervals import Spread
from clvmodels.rolling import MONTHS_TO_DROP, Replay

SHORT_LOG_MONTHS = 6
"""With fewer months than this, season and company-wide series are left out."""


def affordable(options: RateOptions, table: CohortTable) -> tuple[RateOptions, list[str]]:
    """Leave out what so short a log cannot show, and say so in notes."""
    notes = []
    months = table.months.size
    if months < SHORT_LOG_MONTHS and options.season:
        options = replace(options, season=False, company=False)
        notes.append(f"{months} months of log cannot show a season: age and cohort effects only")
    elif months < 24 and options.season:
        twice = max(months - 12, 0)
        notes.append(
            f"{months} months of log show {twice} months of the year twice; the season of the "
            "others rests on one sight and is shrunk accordingly"
        )
    return options, notes


def alternatives(options: RateOptions, table: CohortTable) -> dict[str, RateOptions]:
    """The options as ``default``, and what earlier origins may prefer to them."""
    out = {
        "default": options,
        "age undamped": replace(options, damping=1.0),
    }
    if table.months.size >= MONTHS_TO_DROP and options.season:
        out["no season"] = replace(options, season=False, company=False)
        if options.company:
            out["no company series"] = replace(options, company=False)
    return out


def evidence(
    model: CohortModel,
    spread: Spread,
    table: CohortTable,
    replays: list[Replay],
    *,
    chosen: str,
    notes: list[str],
) -> dict[str, Any]:
    """What was learned, from how much, and why: for the model card, JSON-safe.

    Returns
    -------
    dict
        as_of, months (of log), purchases (repeat, behind the fit); company_series (``total``,
        ``acquisitions`` or ``none``) and company_growth (log a year); season (12 log effects),
        season_error (their posterior errors) and season_seen_twice (months of the year seen
        more than once); sds and value_sds (learned spread of effects in rates and order values,
        in logs); age_slope; kappa; candidates (mean WAPE and mean |bias| at earlier origins),
        chosen; spread of the intervals; notes in words.
    """
    rates, values = model.rates, model.values
    fit = rates.fit
    season = fit.block("season") if "season" in fit.slices else np.zeros(12)
    counted = np.bincount(table.months % 12, minlength=12)
    summary = pd.DataFrame([(r.candidate, r.wape, abs(r.bias)) for r in replays])
    candidates = {
        str(name): {
            "wape": float(rows[1].mean()),
            "mean_absolute_bias": float(rows[2].mean()),
            "origins": len(rows),
        }
        for name, rows in (summary.groupby(0) if len(summary) else [])
    }
    growth = fit.block("company_growth")[0] if rates.company != "none" else None
    return {
        "as_of": table.as_of.isoformat(),
        "months": int(table.months.size),
        "purchases": int(table.purchases.sum()),
        "company_series": rates.company,
        "company_growth": None if growth is None else float(growth),
        "season_seen_twice": int((counted >= 2).sum()),
        "season": [float(effect) for effect in season],
        "season_error": [float(e) for e in fit.standard_errors("season")]
        if "season" in fit.slices
        else [],
        "sds": fit.sds,
        "value_sds": values.fit.sds,
        "age_slope": float(fit.block("age")[0]),
        "kappa": fit.kappa,
        "candidates": candidates,
        "chosen": chosen,
        "spread": asdict(spread),
        "notes": notes,
    }
