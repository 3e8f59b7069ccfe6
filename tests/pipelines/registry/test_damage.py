"""Saved models that are damaged, replaced or linked: refused before anything in them is opened."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from earlier_release import seal
from shop import TRAINED_AS_OF

from clvmodels.core.errors import ModelFileError
from pipelines import files
from pipelines.registry import store as registry
from pipelines.registry import version_records
from pipelines.registry.store import CHURN, MANIFEST, PARAMETERS
from pipelines.registry.version_records import CHAMPION, RECORDS

VERSION = f"{TRAINED_AS_OF}.1"


def change(path, edit) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def sealed(path, edit) -> None:
    """Change a record as somebody would who knows its checksum."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content.pop("checksum", None)
    edit(content)
    files.write_text(path, version_records._sealed(content))


def manifest_of(models, edit) -> None:
    """Change a manifest together with the record, and the digest that champion.json holds."""
    manifest = models / VERSION / MANIFEST
    change(manifest, edit)
    digest = files.sha256(manifest)
    sealed(models / RECORDS / f"{VERSION}.json", lambda c: c.update(manifest_sha256=digest))
    sealed(models / CHAMPION, lambda c: c.update(manifest_sha256=digest))


def moved_and_linked(path) -> None:
    """Put a link to it in the place of a file or folder."""
    there = path.with_name("elsewhere")
    path.rename(there)
    path.symlink_to(there)


def list_file(name, models) -> None:
    digest = files.sha256(models / VERSION / CHURN)
    manifest_of(models, lambda c: c["files"].update({name: digest}))


def pipe(path) -> None:
    path.unlink()
    os.mkfifo(path)


DEEP = "[" * 100_000 + "]" * 100_000

DAMAGES = {
    "champion is no JSON": lambda m: (m / CHAMPION).write_text("{"),
    "champion is a list": lambda m: (m / CHAMPION).write_text("[]"),
    "champion is deep": lambda m: (m / CHAMPION).write_text(DEEP),
    "champion is no text": lambda m: (m / CHAMPION).write_bytes(b"\xff\xfe\x00"),
    "champion names nothing": lambda m: (m / CHAMPION).write_text("{}"),
    "champion names another": lambda m: sealed(m / CHAMPION, lambda c: c.update(version="x")),
    "champion names a path": lambda m: sealed(
        m / CHAMPION, lambda c: c.update(version=f"../shop/{VERSION}")
    ),
    "champion names no day": lambda m: sealed(
        m / CHAMPION, lambda c: c.update(version="2022-99-99.1")
    ),
    "champion altered": lambda m: change(m / CHAMPION, lambda c: c.update(since="2020-01-01")),
    "champion of another manifest": lambda m: sealed(
        m / CHAMPION, lambda c: c.update(manifest_sha256="0" * 64)
    ),
    "champion is gone": lambda m: (m / CHAMPION).unlink(),
    "champion is a link": lambda m: moved_and_linked(m / CHAMPION),
    "record is no JSON": lambda m: (m / RECORDS / f"{VERSION}.json").write_text(""),
    "record altered": lambda m: change(
        m / RECORDS / f"{VERSION}.json", lambda c: c.update(recorded="2020-01-01")
    ),
    "record without its checksum": lambda m: change(
        m / RECORDS / f"{VERSION}.json", lambda c: c.pop("checksum")
    ),
    "record of another version": lambda m: sealed(
        m / RECORDS / f"{VERSION}.json", lambda c: c.update(version=f"{TRAINED_AS_OF}.2")
    ),
    "record of another manifest": lambda m: sealed(
        m / RECORDS / f"{VERSION}.json", lambda c: c.update(manifest_sha256="0" * 64)
    ),
    "record is gone": lambda m: (m / RECORDS / f"{VERSION}.json").unlink(),
    "all records are gone": lambda m: shutil.rmtree(m / RECORDS),
    "record is gone, and the champion's checksum": lambda m: (
        (m / RECORDS / f"{VERSION}.json").unlink(),
        change(m / CHAMPION, lambda c: c.pop("checksum")),
    ),
    "record is a link": lambda m: moved_and_linked(m / RECORDS / f"{VERSION}.json"),
    "manifest is gone": lambda m: (m / VERSION / MANIFEST).unlink(),
    "manifest is empty": lambda m: (m / VERSION / MANIFEST).write_text(""),
    "manifest is a link": lambda m: moved_and_linked(m / VERSION / MANIFEST),
    "manifest lacks files": lambda m: manifest_of(m, lambda c: c.pop("files")),
    "manifest lists nothing": lambda m: manifest_of(m, lambda c: c.update(files={})),
    "manifest lists a list": lambda m: manifest_of(m, lambda c: c.update(files=[PARAMETERS])),
    "manifest lists a path": lambda m: list_file(f"../{VERSION}/{CHURN}", m),
    "manifest lists another file": lambda m: list_file("churn.joblib", m),
    "manifest altered": lambda m: change(
        m / VERSION / MANIFEST, lambda c: c.update(as_of="2020-01-01")
    ),
    "manifest of a later schema": lambda m: manifest_of(
        m, lambda c: c.update(schema_version=99)
    ),
    "manifest of no schema": lambda m: manifest_of(m, lambda c: c.update(schema_version=True)),
    "parameters altered": lambda m: change(
        m / VERSION / PARAMETERS, lambda c: c["transactions"]["params"].update(r=9.0)
    ),
    "parameters truncated": lambda m: (m / VERSION / PARAMETERS).write_bytes(
        (m / VERSION / PARAMETERS).read_bytes()[:100]
    ),
    "parameters gone": lambda m: (m / VERSION / PARAMETERS).unlink(),
    "parameters are a link": lambda m: moved_and_linked(m / VERSION / PARAMETERS),
    "classifier is another": lambda m: (m / VERSION / CHURN).write_text("{}"),
    "classifier gone": lambda m: (m / VERSION / CHURN).unlink(),
    "classifier is a link": lambda m: moved_and_linked(m / VERSION / CHURN),
    "classifier is a folder": lambda m: ((m / VERSION / CHURN).unlink(),
                                         (m / VERSION / CHURN).mkdir()),
    "classifier is a pipe": lambda m: pipe(m / VERSION / CHURN),
    "version folder gone": lambda m: (m / VERSION).rename(m / "elsewhere"),
    "version folder is a link": lambda m: moved_and_linked(m / VERSION),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_refused_before_it_is_opened(copied, name, monkeypatch):
    DAMAGES[name](copied.models)

    def opened(*_):
        raise AssertionError("a file that was not verified has been opened")

    monkeypatch.setattr(registry, "_fitted", opened)
    with pytest.raises(ModelFileError):
        registry.load(copied.models)
    ran = copied.clv("forecast")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    listed = copied.clv("models", "list")
    assert "Traceback" not in listed.err
    assert listed.code == 1 or "cannot be used" in listed.out or f"* {VERSION}" not in listed.out


ON_ITS_OWN = [name for name in DAMAGES if not name.startswith("champion")]


@pytest.mark.parametrize("name", ON_ITS_OWN)
def test_a_version_that_is_named_is_verified_as_the_champion_is(copied, name):
    """Also where champion.json says nothing of it."""
    DAMAGES[name](copied.models)
    (copied.models / CHAMPION).unlink()
    for command in ("forecast --version", "models promote", "models show"):
        ran = copied.clv(*command.split(), VERSION)
        assert (ran.code, ran.out) == (1, ""), command
        assert ran.err.startswith("error: ")
        assert "Traceback" not in ran.err
    assert not (copied.models / CHAMPION).exists()


@pytest.mark.parametrize("champion", [True, False])
@pytest.mark.parametrize(
    "command", ["forecast --version", "models promote", "models show", "models accept"]
)
def test_a_file_replaced_with_its_manifest_is_refused(copied, command, champion):
    """The manifest then agrees with the files, and the record does not agree with it."""
    folder = copied.models / VERSION
    change(folder / CHURN, lambda c: c.update(baseline=9.0))
    seal(folder, json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    if not champion:
        (copied.models / CHAMPION).unlink()
    before = copied.files()
    ran = copied.clv(*command.split(), VERSION)
    assert (ran.code, ran.out) == (1, "")
    assert "is not the one that was saved" in ran.err
    assert copied.files() == before


def test_a_promotion_does_not_record_what_nothing_vouches_for(copied):
    """champion.json alone is what the release before wrote, for versions of its own schema."""
    registry.save(
        copied.models, registry.load(copied.models)[0], config={}, card="# card\n", metrics=[],
        data={}, promote=False,
    )  # fmt: skip
    DAMAGES["record is gone, and the champion's checksum"](copied.models)
    assert copied.clv("models", "promote", f"{TRAINED_AS_OF}.2").code == 0
    assert version_records.digest(copied.models, VERSION) is None
    ran = copied.clv("forecast", "--version", VERSION)
    assert (ran.code, ran.out) == (1, "")
    assert f"`clv models accept {VERSION}` records it" in ran.err


HOLLOW = {
    "no models": lambda c: c.clear(),
    "no cohorts": lambda c: c.pop("cohorts"),
    "cohorts of nothing": lambda c: c.update(cohorts={}),
    "cohorts are a number": lambda c: c.update(cohorts=3),
    "a day that is none": lambda c: c.update(as_of="x"),
    "a model that is none": lambda c: c.update(spend=[]),
}


@pytest.mark.parametrize("name", HOLLOW)
def test_verified_parameters_that_hold_no_models_are_an_error(copied, name):
    """What a foreign release may have written, digests and all."""
    folder = copied.models / VERSION
    change(folder / PARAMETERS, HOLLOW[name])
    digest = files.sha256(folder / PARAMETERS)
    manifest_of(copied.models, lambda c: c["files"].update({PARAMETERS: digest}))
    ran = copied.clv("forecast")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err


def test_a_classifier_of_another_scikit_learn_is_used(copied):
    """It is saved as numbers, which every scikit-learn of the same trees can use."""
    expected, _ = registry.load(copied.models)
    manifest_of(copied.models, lambda c: c["packages"].update({"scikit-learn": "1.6.0"}))
    fitted, _ = registry.load(copied.models)
    assert fitted.churn.to_dict() == expected.churn.to_dict()
