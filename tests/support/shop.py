"""A business in a folder, and the command line run on it."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines import cli
from pipelines.config import load as configuration
from pipelines.config.load import Config
from pipelines.data import customer_days as transactions
from pipelines.data.customer_days import Dataset

ID_PREFIX = "zq~person~"
"""Of every customer id: a text that no base64, number or word of a report can hold."""

TRAINED_AS_OF = dt.date(2022, 8, 31)
LAST_DAY = dt.date(2022, 12, 31)

TOML = """
name = "shop"
[source]
kind = "csv"
path = "log.csv"
[columns]
customer_id = "who"
timestamp = "when"
amount = "paid"
country = "land"
[economics]
currency = "EUR"
margin = 0.4
cost_to_serve = 1.5
annual_discount_rate = 0.1
horizon_months = 6
[train]
churn_horizon_days = 60
churn_from = "classifier"
[backtest]
origins = [2022-03-31]
jobs = 1
[output]
models = "{folder}/models"
reports = "{folder}/reports"
"""


@dataclass(frozen=True)
class Ran:
    """What one call of ``clv`` left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shop:
    """A folder with a log, a configuration and whatever was made from them."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "shop.toml"

    @property
    def log(self) -> Path:
        return self.folder / "log.csv"

    @property
    def models(self) -> Path:
        return self.folder / "models" / "shop"

    @property
    def reports(self) -> Path:
        return self.folder / "reports" / "shop"

    @property
    def config(self) -> Config:
        return configuration.load(self.file)

    def clv(self, *arguments: str) -> Ran:
        """Run the command line in this process, configuration added."""
        return run_clv(*arguments, "--config", str(self.file))

    def files(self) -> dict[str, bytes]:
        """All that was made, by path."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else b""
            for top in ("models", "reports")
            for path in sorted((self.folder / top).rglob("*"))
        }


def run_clv(*arguments: str) -> Ran:
    """Run ``clv`` as its entry point does, in this process."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    given, sys.argv = sys.argv, ["clv", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv = given
    return Ran(int(code), out.getvalue(), err.getvalue())


def clv_process(*arguments: str, cwd: Path | None = None) -> Ran:
    """Run the installed ``clv`` in a process of its own."""
    command = [str(Path(sys.executable).with_name("clv")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    return Ran(done.returncode, done.stdout, done.stderr)


def make_shop(folder: Path, log: pd.DataFrame, toml: str = TOML) -> Shop:
    """Write a log and its configuration."""
    log.to_csv(folder / "log.csv", index=False)
    (folder / "shop.toml").write_text(toml.format(folder=folder), encoding="utf-8")
    return Shop(folder)


@contextlib.contextmanager
def dataset_of(log: pd.DataFrame, config: Config, folder: Path) -> Iterator[Dataset]:
    """Load a log as the jobs do."""
    path = folder / "log.csv"
    log.to_csv(path, index=False)
    source = config.source.model_copy(update={"path": str(path)})
    with transactions.load(config.model_copy(update={"source": source}).log) as data:
        yield data


@dataclass(frozen=True)
class Trained(Shop):
    """A shop after ``clv train``, with what the command said. Its files must not change."""

    said: Ran | None = None


def copy_shop(shop: Shop, folder: Path) -> Shop:
    """Copy everything to another folder, the paths in the configuration too."""
    shutil.copytree(shop.folder, folder)
    text = shop.file.read_text(encoding="utf-8")
    moved = Shop(folder)
    moved.file.write_text(text.replace(str(shop.folder), str(folder)), encoding="utf-8")
    return moved


def altered(log: pd.DataFrame, after: dt.date) -> pd.DataFrame:
    """A log with another future: purchases dropped, moved, repriced, refunded and invented."""
    late = pd.to_datetime(log["when"]).dt.date > after
    rng = np.random.default_rng(3)
    future = log[late].sample(frac=0.6, random_state=1).copy()
    future["paid"] = (future["paid"] * rng.choice([-1.0, 0.0, 50.0], len(future))).round(2)
    future["land"] = "XX"
    new = log[~late].groupby("who", as_index=False).first().sample(frac=0.5, random_state=2)
    new["when"] = (pd.Timestamp(after) + pd.Timedelta(days=1)).strftime("%Y-%m-%d 00:00:00")
    new["paid"] = 999.0
    strangers = new.assign(who="stranger" + new["who"])
    mixed = pd.concat([log[~late], future, new, strangers])
    return mixed.sample(frac=1, random_state=5)
