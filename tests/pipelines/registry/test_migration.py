"""Models that the release before saved: used where they hold no pickle, migrated where they do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import joblib
import numpy as np
import pytest
from at_a_day import training_at
from earlier_release import churn_probability, fit_classifier, put_into_use, seal, write
from shop import TRAINED_AS_OF

from clvmodels.churn.classifier import ChurnSample
from clvmodels.core.errors import ModelFileError
from pipelines import files
from pipelines.registry import migration, version_records
from pipelines.registry import store as registry
from pipelines.training import fit as train
from pipelines.training.model_choice import choose_model

FIRST, SECOND, THIRD = (f"{TRAINED_AS_OF}.{number}" for number in (1, 2, 3))


class Trap:
    """A pickle that makes a folder when it is read."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return __import__("os").mkdir, (self.path,)


@pytest.fixture(scope="module")
def churn(data, trained):
    """A classifier of the release before, the table it scores and what it said of it."""
    known = training_at(TRAINED_AS_OF, data, trained.config)
    choice = choose_model(known.trial, trained.config.train)
    models = train.fit_earlier(known.churn, choice.name)
    samples = [
        ChurnSample(train.with_model_features(part.features, model, 60), part.churned)
        for part, model in zip(known.churn, models, strict=True)
    ]
    old = fit_classifier(ChurnSample.concat(samples[:-1]), samples[-1])
    table = samples[-1].features
    return old, table, churn_probability(old, table)


@pytest.fixture
def earlier(copied, churn):
    """A shop whose only version, in use, holds a pickle."""
    write(copied, FIRST, churn[0])
    return copied


@pytest.fixture
def no_pickle(monkeypatch):
    def opened(*_, **__):
        raise AssertionError("a pickle has been opened")

    monkeypatch.setattr(joblib, "load", opened)


def test_a_pickle_is_not_opened_by_any_other_command(earlier, no_pickle):
    before = earlier.files()
    for command in (
        ["forecast"], ["forecast", "--version", FIRST], ["refresh"], ["models", "promote", FIRST],
    ):  # fmt: skip
        ran = earlier.clv(*command)
        assert ran.code == 1, command
        assert f"`clv models migrate {FIRST}` reads it once" in ran.err
    assert earlier.clv("models", "show").out.startswith("# Model card")
    listed = earlier.clv("models", "list", "--json").json()
    assert listed["champion"] == FIRST
    assert "clv models migrate" in listed["refused"][FIRST]
    assert earlier.files() == before


def test_nothing_else_reads_a_pickle():
    """Spark's executors read what the driver has just sent them."""
    home = Path(registry.__file__).parents[2]
    readers = {
        path.name
        for package in ("clvmodels", "pipelines")
        for path in (home / package).rglob("*.py")
        if re.search(r"\bpickle\.load|joblib\.load|read_pickle|allow_pickle|load\(.*pickle",
                     path.read_text(encoding="utf-8"))
    }  # fmt: skip
    assert readers == {"migration.py", "spark.py"}


def test_migration_saves_the_same_model_as_numbers(earlier, churn):
    old_parameters = (earlier.models / FIRST / "parameters.json").read_bytes()
    before = {name: content for name, content in earlier.files().items() if FIRST in name}
    ran = earlier.clv("models", "migrate", "--json", "--quiet")
    assert ran.code == 0, ran.err
    old, table, expected = churn
    assert old.categories_
    assert ran.json() == {
        "model": str(earlier.models / SECOND), "version": SECOND, "from": FIRST, "in_use": True,
        "kept_categories": {name: len(values) for name, values in old.categories_.items()},
    }  # fmt: skip
    fitted, saved = registry.load(earlier.models)
    assert saved.version == SECOND
    np.testing.assert_allclose(fitted.churn.churn_probability(table), expected, rtol=0, atol=1e-12)
    assert (saved.folder / "parameters.json").read_bytes() == old_parameters
    assert {p.name for p in saved.folder.iterdir()} == {
        "manifest.json", "parameters.json", "churn.json", "model_card.md",
    }  # fmt: skip
    digest = files.sha256(earlier.models / FIRST / "manifest.json")
    assert saved.manifest["migrated_from"] == {"version": FIRST, "manifest_sha256": digest}
    assert f"Migrated from version {FIRST}" in saved.card
    after = {name: content for name, content in earlier.files().items() if f"/{FIRST}" in name}
    assert before.items() <= after.items()
    assert earlier.clv("forecast", "--quiet").code == 0


def test_migration_says_that_it_runs_code(earlier):
    helped = earlier.clv("models", "migrate", "--help").out
    assert "READING A PICKLE RUNS THE CODE IN IT" in " ".join(helped.split())
    ran = earlier.clv("models", "migrate", FIRST)
    assert ran.code == 0
    assert f"read the pickle of {FIRST}, which runs the code in it" in ran.err
    assert ran.out.startswith("model:")
    assert "keeps the names of all categories of the old model" in ran.out


def test_a_version_is_migrated_once_and_only_where_there_is_a_pickle(earlier, copied):
    assert earlier.clv("models", "migrate").code == 0
    before = earlier.files()
    again = earlier.clv("models", "migrate", FIRST)
    assert (again.code, again.out) == (1, "")
    assert f"was migrated before, to version {SECOND}" in again.err
    nothing = earlier.clv("models", "migrate", SECOND)
    assert nothing.code == 1
    assert "holds nothing to migrate" in nothing.err
    assert earlier.files() == before


def test_of_migrations_at_once_one_saves_a_version(earlier, monkeypatch):
    """The other one ends its reading of the pickle when the first has saved."""
    read = migration._unpickled

    def overtaken(old):
        monkeypatch.setattr(migration, "_unpickled", read)
        assert migration.migrate(earlier.models, FIRST).version == SECOND
        return read(old)

    monkeypatch.setattr(migration, "_unpickled", overtaken)
    with pytest.raises(ModelFileError, match=f"was migrated before, to version {SECOND}"):
        migration.migrate(earlier.models, FIRST)
    assert registry.versions(earlier.models) == [FIRST, SECOND]
    assert not [path for path in earlier.models.iterdir() if path.name.startswith(".")]


def test_a_version_that_was_migrated_is_listed_as_that(earlier):
    assert earlier.clv("models", "migrate").code == 0
    ran = earlier.clv("models", "list")
    assert f"it was migrated to {SECOND}, and may be deleted" in " ".join(ran.out.split())
    assert "clv models migrate" not in ran.out
    assert FIRST in earlier.clv("models", "list", "--json").json()["refused"]
    # a copy that cannot be used instead is none
    (earlier.models / SECOND / "churn.json").write_text("{}")
    assert f"clv models migrate {FIRST}" in " ".join(earlier.clv("models", "list").out.split())


def test_what_is_not_in_use_is_not_put_into_use_by_migration(earlier):
    shutil.copytree(earlier.models / FIRST, earlier.models / SECOND)
    manifest = json.loads((earlier.models / SECOND / "manifest.json").read_text(encoding="utf-8"))
    seal(earlier.models / SECOND, {**manifest, "version": SECOND})
    refused = earlier.clv("models", "migrate", SECOND)
    assert refused.code == 1
    assert f"`clv models accept {SECOND}` records it" in refused.err
    assert earlier.clv("models", "accept", SECOND).code == 0
    ran = earlier.clv("models", "migrate", SECOND, "--json", "--quiet")
    assert ran.json()["version"] == THIRD
    assert ran.json()["in_use"] is False
    assert registry.champion(earlier.models) == FIRST


def test_a_manifest_does_not_say_where_the_new_version_goes(earlier):
    """Its name is that of the folder, with a number of its own."""
    folder = earlier.models / FIRST
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    seal(folder, {**manifest, "as_of": "../../../elsewhere/2022-08-31"})
    put_into_use(earlier, FIRST)
    assert migration.migrate(earlier.models, FIRST).folder == earlier.models / SECOND
    assert not (earlier.folder / "elsewhere").exists()
    assert not (earlier.folder.parent / "elsewhere").exists()


@pytest.mark.parametrize("which", ["another pickle", "and its manifest"])
def test_a_pickle_that_was_replaced_is_not_opened(earlier, tmp_path, which):
    """Not even where its manifest was replaced with it: champion.json knows the manifest."""
    folder, trap = earlier.models / FIRST, tmp_path / "sprung"
    joblib.dump(Trap(trap), folder / "churn.joblib")
    if which == "and its manifest":
        seal(folder, json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    before = earlier.files()
    ran = earlier.clv("models", "migrate", "--quiet")
    assert (ran.code, ran.out) == (1, "")
    assert "is not the" in ran.err
    assert earlier.files() == before
    assert not trap.exists()


@pytest.mark.parametrize(
    "content", [7, {"a": 1}, "churn", np.zeros(3)], ids=["number", "dict", "text", "array"]
)
def test_a_pickle_of_something_else_is_refused(copied, content):
    write(copied, FIRST, content)
    before = copied.files()
    ran = copied.clv("models", "migrate", "--quiet")
    assert ran.code == 1
    assert "is no churn classifier that this release knows" in ran.err
    assert "Traceback" not in ran.err
    assert copied.files() == before


def test_a_pickle_that_is_cut_off_is_refused(copied, churn):
    folder = write(copied, FIRST, churn[0])
    (folder / "churn.joblib").write_bytes((folder / "churn.joblib").read_bytes()[:200])
    seal(folder, json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    put_into_use(copied, FIRST)
    with pytest.raises(ModelFileError, match="is no churn classifier that this release knows"):
        migration.migrate(copied.models, FIRST)


def test_a_pickle_of_another_scikit_learn_is_refused(earlier, no_pickle):
    folder = earlier.models / FIRST
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["packages"]["scikit-learn"] = "0.24.1"
    seal(folder, manifest)
    put_into_use(earlier, FIRST)
    with pytest.raises(ModelFileError, match=r"saved by scikit-learn 0\.24\.1"):
        migration.migrate(earlier.models, FIRST)


def test_a_version_without_a_pickle_is_used_as_it_is(copied):
    write(copied, FIRST, None)
    fitted, saved = registry.load(copied.models)
    assert fitted.churn is None
    assert saved.manifest["schema_version"] == 1
    assert registry.load(copied.models, FIRST)[1].version == FIRST


def test_the_first_promotion_records_the_champion_before(copied):
    """Its digest is in champion.json and nowhere else."""
    write(copied, FIRST, None)
    fitted, _ = registry.load(copied.models)
    registry.save(copied.models, fitted, config={}, card="# card\n", metrics=[], data={})
    assert registry.champion(copied.models) == SECOND
    assert registry.load(copied.models, FIRST)[1].version == FIRST
    assert sorted(version_records.recorded(copied.models)) == [FIRST, SECOND]


def test_a_version_without_a_record_is_used_once_it_is_accepted(copied):
    """Of earlier releases, those that were not in use; and those that somebody brought."""
    write(copied, FIRST, None)
    (copied.models / "champion.json").unlink()
    before = copied.files()
    for command in (["forecast", "--version", FIRST], ["models", "promote", FIRST],
                    ["models", "show", FIRST]):  # fmt: skip
        ran = copied.clv(*command)
        assert (ran.code, ran.out) == (1, "")
        assert f"Where you trust it, `clv models accept {FIRST}` records it" in ran.err
    assert copied.files() == before
    accepted = copied.clv("models", "accept", FIRST, "--json")
    digest = files.sha256(copied.models / FIRST / "manifest.json")
    assert accepted.json() == {
        "model": str(copied.models / FIRST), "version": FIRST, "manifest_sha256": digest,
    }  # fmt: skip
    assert digest in copied.clv("models", "accept", FIRST).out
    assert copied.clv("models", "promote", FIRST).code == 0
    assert registry.load(copied.models)[1].version == FIRST


def test_only_what_is_as_its_manifest_says_is_accepted(copied):
    write(copied, FIRST, None)
    (copied.models / "champion.json").unlink()
    shutil.copytree(copied.models / FIRST, copied.models / SECOND)
    (copied.models / FIRST / "parameters.json").write_text("{}", encoding="utf-8")
    for version, finding in (
        (FIRST, "parameters.json is not the file that was saved"),
        (SECOND, f"holds version '{FIRST}' of 'shop': it was renamed"),
        ("../shop", "there is no version '../shop'"),
    ):
        ran = copied.clv("models", "accept", version)
        assert (ran.code, ran.out) == (1, "")
        assert finding in ran.err
    assert version_records.recorded(copied.models) == []


def test_what_was_changed_after_it_was_recorded_is_not_accepted(copied):
    manifest = json.loads((copied.models / FIRST / "manifest.json").read_text(encoding="utf-8"))
    seal(copied.models / FIRST, {**manifest, "as_of": "2020-01-01"})
    before = copied.files()
    for champion in (True, False):
        if not champion:
            (copied.models / "champion.json").unlink()
            before.pop("models/shop/champion.json")
        ran = copied.clv("models", "accept", FIRST)
        assert ran.code == 1
        assert "is not the one that was saved" in ran.err
    assert copied.files() == before


def test_a_damaged_record_is_written_anew(copied):
    record = copied.models / "registry" / f"{FIRST}.json"
    record.write_text("{", encoding="utf-8")
    ran = copied.clv("models", "promote", FIRST)
    assert ran.code == 1
    assert f"`clv models accept {FIRST}` records the version as it is now" in ran.err
    assert copied.clv("models", "accept", FIRST).code == 0
    assert copied.clv("models", "promote", FIRST).code == 0
