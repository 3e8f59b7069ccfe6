"""Saved models: whole, verified before they are opened, the same in another process."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
from shop import ID_PREFIX, TRAINED_AS_OF

from clvmodels.exceptions import ModelFileError
from pipelines import files, registry, train, training_data
from pipelines.registry import CHAMPION, CHURN, MANIFEST, PARAMETERS

VERSION = f"{TRAINED_AS_OF}.1"

SCORE = """
import json, sys
import pandas as pd
from pipelines import config, registry, train
settings = config.load(sys.argv[1])
fitted, _ = registry.load(settings)
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
    table = training_data.scoring_table(data.purchases, TRAINED_AS_OF).to_pandas()
    table["monetary_value"] = table["monetary_value"].clip(lower=0)
    table.to_parquet(tmp_path / "new.parquet")
    done = subprocess.run(
        [sys.executable, "-c", SCORE, str(trained.file), str(tmp_path / "new.parquet")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    there = json.loads(done.stdout)
    known = training_data.extract(data.purchases, data.first_date, TRAINED_AS_OF, trained.config)
    fitted = train.estimate(known, trained.config)
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
    fitted, saved = registry.load(trained.config)
    assert saved.version == VERSION
    assert fitted.as_of == TRAINED_AS_OF
    again, _ = registry.load(trained.config, VERSION)
    assert again.transactions.to_dict() == fitted.transactions.to_dict()
    assert again.spend.to_dict() == fitted.spend.to_dict()


def contents(path) -> bytes:
    """All bytes that a file holds, unpacked."""
    if path.suffix == ".joblib":
        return pickle.dumps(joblib.load(path))
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


def change(path, edit) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


DAMAGES = {
    "champion is no JSON": lambda m: (m / CHAMPION).write_text("{"),
    "champion is a list": lambda m: (m / CHAMPION).write_text("[]"),
    "champion names nothing": lambda m: (m / CHAMPION).write_text("{}"),
    "champion names another": lambda m: change(m / CHAMPION, lambda c: c.update(version="x")),
    "champion is gone": lambda m: (m / CHAMPION).unlink(),
    "manifest is gone": lambda m: (m / VERSION / MANIFEST).unlink(),
    "manifest is empty": lambda m: (m / VERSION / MANIFEST).write_text(""),
    "manifest lacks files": lambda m: change(m / VERSION / MANIFEST, lambda c: c.pop("files")),
    "manifest altered": lambda m: change(
        m / VERSION / MANIFEST, lambda c: c.update(as_of="2020-01-01")
    ),
    "manifest of a later schema": lambda m: change(
        m / VERSION / MANIFEST, lambda c: c.update(schema_version=99)
    ),
    "parameters altered": lambda m: change(
        m / VERSION / PARAMETERS, lambda c: c["transactions"]["params"].update(r=9.0)
        if "params" in c["transactions"] else c.update(x=1),
    ),
    "parameters truncated": lambda m: (m / VERSION / PARAMETERS).write_bytes(
        (m / VERSION / PARAMETERS).read_bytes()[:100]
    ),
    "parameters gone": lambda m: (m / VERSION / PARAMETERS).unlink(),
    "classifier is another pickle": lambda m: joblib.dump("boom", m / VERSION / CHURN),
    "classifier gone": lambda m: (m / VERSION / CHURN).unlink(),
    "version folder gone": lambda m: (m / VERSION).rename(m / "elsewhere"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_refused_before_it_is_opened(copied, name, monkeypatch):
    DAMAGES[name](copied.models)
    before = copied.files()

    def opened(*_):
        raise AssertionError("a file that was not verified has been opened")

    monkeypatch.setattr(joblib, "load", opened)
    with pytest.raises(ModelFileError):
        registry.load(copied.config)
    ran = copied.clv("forecast")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    assert copied.files() == before


def test_a_classifier_of_another_scikit_learn_is_refused(copied):
    manifest = copied.models / VERSION / MANIFEST
    change(manifest, lambda c: c["packages"].update({"scikit-learn": "0.24.1"}))
    change(copied.models / CHAMPION, lambda c: c.update(manifest_sha256=files.sha256(manifest)))
    with pytest.raises(ModelFileError, match=r"saved by scikit-learn 0\.24\.1"):
        registry.load(copied.config)


def test_an_altered_version_cannot_be_put_into_use(copied):
    (copied.models / VERSION / PARAMETERS).write_text("{}", encoding="utf-8")
    before = copied.files()
    with pytest.raises(ModelFileError, match="not the file that was saved"):
        registry.make_champion(copied.config, VERSION)
    assert copied.files() == before


def save(copied, **options):
    fitted, _ = registry.load(copied.config)
    return registry.save(fitted, copied.config, card="# card", metrics=[], data={}, **options)


def test_versions_of_one_day_are_counted_and_sorted_as_numbers(copied):
    before = (copied.models / VERSION / MANIFEST).read_bytes()
    for _ in range(10):
        save(copied)
    assert registry.versions(copied.config) == [f"{TRAINED_AS_OF}.{k}" for k in range(1, 12)]
    assert registry.champion(copied.config) == f"{TRAINED_AS_OF}.11"
    assert (copied.models / VERSION / MANIFEST).read_bytes() == before
    assert save(copied, promote=False).version == f"{TRAINED_AS_OF}.12"
    assert registry.champion(copied.config) == f"{TRAINED_AS_OF}.11"


def test_a_save_that_dies_leaves_the_champion(copied, monkeypatch):
    before = copied.files()

    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "_packages", die)
    with pytest.raises(KeyboardInterrupt):
        save(copied)
    assert copied.files() == before
