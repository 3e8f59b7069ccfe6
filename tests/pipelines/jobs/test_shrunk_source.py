"""A source that lost rows since the model in use was trained."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from shop import LAST_DAY, TOML, TRAINED_AS_OF, Shop

from pipelines.config.load import Columns, Governance
from pipelines.data.quality import shrinkage

LATER = ["--as-of", str(LAST_DAY)]


def cut(shop: Shop, share: float) -> None:
    """Keep the first customers of the log, as a file that is cut off keeps its first lines."""
    log = pd.read_csv(shop.log, dtype={"who": str})
    names = log["who"].drop_duplicates()
    kept = set(names.head(int(len(names) * share)))
    log[log["who"].isin(kept)].to_csv(shop.log, index=False)


def allow(shop: Shop, share: float) -> None:
    text = shop.file.read_text(encoding="utf-8")
    shop.file.write_text(f"{text}\n[governance]\nmax_shrink_share = {share}\n", encoding="utf-8")


@pytest.mark.parametrize("command", ["forecast", "refresh", "train"])
def test_a_log_cut_in_half_publishes_nothing(copied, command):
    before = copied.files()
    cut(copied, 0.5)
    ran = copied.clv(command, *LATER)
    assert ran.code == 1
    assert "has shrunk" in ran.err
    assert f"customers known up to {TRAINED_AS_OF}, where there were" in ran.err
    assert "governance.max_shrink_share" in ran.err
    assert copied.files() == before


def test_the_limit_can_be_set(copied):
    cut(copied, 0.5)
    allow(copied, 0.9)
    ran = copied.clv("forecast", *LATER)
    assert ran.code == 0, ran.err


def test_a_log_that_lost_few_is_forecast(copied):
    cut(copied, 0.97)
    assert copied.clv("forecast", *LATER).code == 0


def test_an_earlier_day_of_the_same_log_is_no_shrinkage(copied):
    early = str(TRAINED_AS_OF - dt.timedelta(days=120))
    ran = copied.clv("forecast", "--as-of", early)
    assert ran.code == 0, ran.err
    cut(copied, 0.5)
    ran = copied.clv("forecast", "--as-of", early)
    assert ran.code == 1
    assert "rows read, where there were" in ran.err
    assert "customers known" not in ran.err


def test_rules_are_compared_but_for_limits_and_keys_of_later_releases():
    columns, governance = Columns(amount="paid"), Governance(refunds="drop")
    now = {"columns": columns, "governance": governance}
    then = {name: section.model_dump(mode="json") for name, section in now.items()}
    assert shrinkage.read_alike(now, then)
    del then["columns"]["fold_ids"]
    then["governance"]["max_stale_days"] = 5
    assert shrinkage.read_alike(now, then)
    folded = now | {"columns": columns.model_copy(update={"fold_ids": True})}
    assert not shrinkage.read_alike(folded, then)
    then["governance"]["refunds"] = "net"
    assert not shrinkage.read_alike(now, then)


def test_the_shop_s_configuration_leaves_the_limit_at_its_default():
    assert "max_shrink_share" not in TOML
    assert Governance().max_shrink_share == 0.1
