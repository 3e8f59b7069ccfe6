"""Saved models: whole, verified before they are opened, the same in another process."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from at_a_day import training_at
from shop import ID_PREFIX, TRAINED_AS_OF

from clvmodels.core.errors import ModelFileError
from clvmodels.registry import TRANSACTION_MODELS
from pipelines import files
from pipelines.data.features import scoring_table
from pipelines.registry import saved, version_records
from pipelines.registry import store as registry
from pipelines.registry.store import MANIFEST, PARAMETERS
from pipelines.registry.version_records import CHAMPION, RECORDS
from pipelines.training import fit as train

VERSION = f"{TRAINED_AS_OF}.1"

SCORE = """
import json, sys
import pandas as pd
from pipelines.config import load as config
from pipelines.jobs.folders import models_folder
from pipelines.registry import store as registry
from pipelines.training import fit as train
fitted, _ = registry.load(models_folder(config.load(sys.argv[1])))
table = pd.read_parquet(sys.argv[2])
with_model = train.with_model_features(table, fitted.transactions, 60)
json.dump({
    "alive": fitted.transactions.probability_alive(table).tolist(),
    "purchases": fitted.transactions.expected_purchases(table, horizon=[30, 365]).tolist(),
    "spend": fitted.spend.expected_spend(table).tolist(),
    "churn": fitted.churn.churn_probability(with_model).tolist(),
}, sys.stdout)
"""


def test_a_saved_model_scores_the_same_in_a_new_process(trained, data, tmp_path):
    with data.snapshot.earlier(TRAINED_AS_OF) as then:
        table = scoring_table(then).to_pandas()
    table["monetary_value"] = table["monetary_value"].clip(lower=0)
    table.to_parquet(tmp_path / "new.parquet")
    done = subprocess.run(
        [sys.executable, "-c", SCORE, str(trained.file), str(tmp_path / "new.parquet")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    there = json.loads(done.stdout)
    known = training_at(TRAINED_AS_OF, data, trained.config)
    fitted = train.estimate(known, trained.config.train)
    with_model = train.with_model_features(table, fitted.transactions, 60)
    here = {
        "alive": fitted.transactions.probability_alive(table),
        "purchases": fitted.transactions.expected_purchases(table, horizon=[30, 365]),
        "spend": fitted.spend.expected_spend(table),
        "churn": fitted.churn.churn_probability(with_model),
    }
    for name, values in here.items():
        np.testing.assert_allclose(np.array(there[name]), values, rtol=1e-9, err_msg=name)


def test_loading_gives_back_what_was_saved(trained):
    fitted, saved = registry.load(trained.models)
    assert saved.version == VERSION
    assert fitted.as_of == TRAINED_AS_OF
    again, _ = registry.load(trained.models, VERSION)
    assert again.transactions.to_dict() == fitted.transactions.to_dict()
    assert again.spend.to_dict() == fitted.spend.to_dict()


def test_the_manifest_holds_what_was_given_what_was_decided_and_the_product_s_own_scores(trained):
    fitted, saved = registry.load(trained.models)
    manifest = saved.manifest
    assert manifest["name"] == "shop"
    assert manifest["config"] == json.loads(json.dumps(trained.config.model_dump(mode="json")))
    assert manifest["config"]["train"]["transaction_model"] == "auto"
    choice = manifest["decided"]["transaction_model"]
    assert choice["source"] == "compared"
    assert TRANSACTION_MODELS[choice["name"]] is type(fitted.transactions)
    assert manifest["decided"]["gross_margin"]["source"] == "configured"
    assert {row["model"] for row in manifest["metrics"]} == {"clv", "churn"}


def contents(path) -> bytes:
    """All bytes that a file holds, unpacked."""
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return b"".join(book.read(name) for name in book.namelist())
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_csv().encode()
    return path.read_bytes()


def test_no_customer_id_is_in_any_saved_file_but_the_customer_forecast(trained):
    prefix = ID_PREFIX.encode()
    holders = {
        path.name
        for top in (trained.models, trained.reports)
        for path in top.rglob("*")
        if path.is_file() and prefix in contents(path)
    }
    assert holders == {"customers.parquet"}


def test_training_goes_on_where_champion_json_is_damaged(copied):
    """As its error says."""
    fitted, _ = registry.load(copied.models)
    (copied.models / CHAMPION).write_text("{", encoding="utf-8")
    again = registry.save(copied.models, fitted, config={}, card="# card", metrics=[], data={})
    assert registry.champion(copied.models) == again.version
    assert registry.load(copied.models)[1].version == again.version


def test_an_altered_version_cannot_be_put_into_use(copied):
    (copied.models / VERSION / PARAMETERS).write_text("{}", encoding="utf-8")
    before = copied.files()
    with pytest.raises(ModelFileError, match="not the file that was saved"):
        registry.make_champion(copied.models, VERSION)
    assert copied.files() == before


def save(copied, **options):
    fitted, _ = registry.load(copied.models)
    return registry.save(
        copied.models, fitted, config={}, card="# card", metrics=[], data={}, **options
    )


def test_versions_of_one_day_are_counted_and_sorted_as_numbers(copied):
    before = (copied.models / VERSION / MANIFEST).read_bytes()
    for _ in range(10):
        save(copied)
    assert registry.versions(copied.models) == [f"{TRAINED_AS_OF}.{k}" for k in range(1, 12)]
    assert registry.champion(copied.models) == f"{TRAINED_AS_OF}.11"
    assert (copied.models / VERSION / MANIFEST).read_bytes() == before
    assert save(copied, promote=False).version == f"{TRAINED_AS_OF}.12"
    assert registry.champion(copied.models) == f"{TRAINED_AS_OF}.11"


def test_a_save_that_dies_leaves_the_champion(copied, monkeypatch):
    before = copied.files()

    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "packages", die)
    with pytest.raises(KeyboardInterrupt):
        save(copied)
    assert copied.files() == before


def test_a_version_that_knows_later_data_stays_in_use(copied):
    fitted, _ = registry.load(copied.models)
    early = replace(fitted, as_of=dt.date(2022, 6, 30))
    options = {"card": "# card", "metrics": [], "data": {}}
    made = registry.save(copied.models, early, config={}, **options)
    assert made.later == TRAINED_AS_OF
    assert registry.champion(copied.models) == VERSION
    late = registry.save(
        copied.models, replace(fitted, as_of=dt.date(2022, 9, 30)), config={}, **options
    )
    assert late.later is None
    assert registry.champion(copied.models) == "2022-09-30.1"


def test_a_number_that_was_given_is_not_given_again(copied):
    """Also where the folder was removed, or something else stands in its place."""
    shutil.rmtree(save(copied, promote=False).folder)
    assert save(copied).version == f"{TRAINED_AS_OF}.3"
    (copied.models / f"{TRAINED_AS_OF}.4").mkdir()
    assert save(copied).version == f"{TRAINED_AS_OF}.5"
    assert list((copied.models / f"{TRAINED_AS_OF}.4").iterdir()) == []


def test_a_number_that_another_takes_at_the_same_moment_is_left_to_it(copied, monkeypatch):
    """Where nothing can be locked, the record and the folder are made by one process only."""
    monkeypatch.setattr(files, "fcntl", None)
    looked = registry._next_counter

    def late(home, day):
        counter = looked(home, day)
        if counter == 2:
            version_records.claim(copied.models, f"{day}.2", "0" * 64)
        if counter == 3:
            (copied.models / f"{day}.3").mkdir()
        return counter

    monkeypatch.setattr(registry, "_next_counter", late)
    assert save(copied).version == f"{TRAINED_AS_OF}.4"
    assert version_records.digest(copied.models, f"{TRAINED_AS_OF}.2") == "0" * 64
    assert version_records.digest(copied.models, f"{TRAINED_AS_OF}.3") is None


SAVE = """
import sys, time
from pathlib import Path
home, file, me, locks = sys.argv[1:]
sys.path.insert(0, home)
from pipelines import files
from pipelines.config import load as config
from pipelines.jobs.folders import models_folder
from pipelines.registry import store as registry
models = models_folder(config.load(file))
if locks == "none":
    files.fcntl = None
fitted, _ = registry.load(models)
Path(file).with_name(f"ready {me}").touch()
while not Path(file).with_name("go").exists():
    time.sleep(0.001)
for turn in range(3):
    saved = registry.save(
        models, fitted, config={}, card=f"# {me} {turn}", metrics=[], data={}
    )
    print(saved.version, flush=True)
"""


@pytest.mark.parametrize(("processes", "locks"), [(6, "flock"), (3, "none")])
def test_processes_that_save_at_once_get_a_version_each(copied, processes, locks):
    home = str(Path(registry.__file__).parents[2])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE, home, str(copied.file), str(me), locks],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for me in range(processes)
    ]  # fmt: skip
    while len(list(copied.folder.glob("ready *"))) < len(started) and not any(
        process.poll() for process in started
    ):
        time.sleep(0.01)
    (copied.folder / "go").touch()
    cards = {}
    for me, process in enumerate(started):
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        cards |= {version: f"# {me} {turn}" for turn, version in enumerate(out.split())}
    last = 1 + 3 * processes
    assert sorted(cards, key=version_records.order) == [
        f"{TRAINED_AS_OF}.{k}" for k in range(2, last + 1)
    ]
    for version, card in cards.items():
        assert saved.verify(copied.models, version).card == card
    used = registry.load(copied.models)[1].version
    assert used in cards
    if locks == "flock":
        assert used == f"{TRAINED_AS_OF}.{last}"
    assert {p.name for p in copied.models.iterdir()} == {CHAMPION, RECORDS, VERSION, *cards}
    assert {p.stem for p in (copied.models / RECORDS).iterdir()} == {VERSION, *cards}
