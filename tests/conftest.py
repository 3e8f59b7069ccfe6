"""A business that several test files share: its log, its configuration, its trained models.

Training runs once a session, as a process of its own; whoever changes files works on a copy.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings
from shop import (
    ID_PREFIX,
    TOML,
    TRAINED_AS_OF,
    Shop,
    Trained,
    clv_process,
    copy_shop,
    dataset_of,
    make_shop,
)

from clvmodels.simulation.simulate import BGNBDProcess, GammaGammaSpend, SimulatedLog, simulate_log
from pipelines.config import load as configuration
from pipelines.config.load import Config
from pipelines.console import Progress
from pipelines.data.customer_days import Dataset

# A busy machine is slow, not wrong; and everybody draws the same examples, so that a green tree is
# green everywhere. HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def simulated() -> SimulatedLog:
    """Two years of customers with known parameters."""
    return simulate_log(
        BGNBDProcess(r=0.5, alpha=20.0, a=0.8, b=3.0),
        700,
        spend=GammaGammaSpend(6.0, 4.0, 15.0),
        start=dt.date(2021, 1, 1),
        days=730,
        acquisition=500,
        random_state=11,
    )


@pytest.fixture(scope="session")
def log(simulated: SimulatedLog) -> pd.DataFrame:
    """The log as a shop would export it: who, when, paid, land."""
    table = simulated.to_pandas()
    number = table["customer_id"].str.removeprefix("C")
    return pd.DataFrame(
        {
            "who": ID_PREFIX + number,
            "when": table["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S"),
            "paid": table["amount"].round(2),
            "land": number.astype(int).mod(3).map({0: "DE", 1: "FR", 2: "IT"}),
        }
    )


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The shop's configuration, for tests that need no files."""
    folder = tmp_path_factory.mktemp("config")
    path = folder / "shop.toml"
    path.write_text(TOML.format(folder=folder), encoding="utf-8")
    return configuration.load(path)


@pytest.fixture(scope="session")
def data(
    log: pd.DataFrame, config: Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dataset]:
    """The log in the engine."""
    with dataset_of(log, config, tmp_path_factory.mktemp("data")) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def quiet() -> Progress:
    return Progress(quiet=True)


@pytest.fixture(scope="session")
def trained(log: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train once, in a process of its own."""
    shop = make_shop(tmp_path_factory.mktemp("trained"), log)
    said = clv_process("train", "--config", str(shop.file), "--as-of", str(TRAINED_AS_OF))
    assert said.code == 0, said.err
    return Trained(shop.folder, said)


@pytest.fixture
def copied(trained: Trained, tmp_path: Path) -> Shop:
    """The trained shop, in a folder that a test may change."""
    return copy_shop(trained, tmp_path / "copy")
