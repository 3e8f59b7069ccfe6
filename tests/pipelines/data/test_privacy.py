"""Pseudonyms that need the key, and erasure that leaves everybody else."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop import run_clv

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config import load as config
from pipelines.data import privacy
from pipelines.data.privacy import Erased, Pseudonyms

KEY = "a key of sufficient length"


def settings_for(folder: Path, **governance: object) -> config.Config:
    return config.parse(
        {
            "name": "shop",
            "source": {"kind": "lifetimes", "dataset": "CDNOW_sample"},
            "governance": governance,
            "output": {"reports": str(folder / "reports"), "models": str(folder / "models")},
        }
    )


def erase(settings: config.Config, ids: Iterable[str]) -> Erased:
    """Erase as the command does: under the configured folders, ids and pseudonyms."""
    folders = [
        Path(top) / settings.name for top in (settings.output.reports, settings.output.models)
    ]
    return privacy.erase(folders, ids, pseudonyms_of(settings))


def pseudonyms_of(settings: config.Config) -> Pseudonyms | None:
    return privacy.pseudonyms(settings.governance.pseudonym_key_env)


def save(folder: Path, ids: list[str], month: str = "2024-01-31") -> Path:
    file = folder / "reports" / "shop" / month / "customers.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({"customer_id": ids, "clv": range(len(ids))})
    frame.to_parquet(file, index=False, row_group_size=2)
    return file


def test_pseudonyms_are_hmac_sha_256():
    expected = hmac.new(KEY.encode(), b"007", hashlib.sha256).hexdigest()[:32]
    assert Pseudonyms(KEY.encode()).of("007") == expected


@given(st.lists(st.text(), unique=True, max_size=20), st.binary(min_size=16, max_size=40))
def test_pseudonyms_are_distinct_stable_and_keyed(ids, key):
    names = Pseudonyms(key).of_all(ids)
    assert len(set(names)) == len(ids)
    assert names == Pseudonyms(key).of_all(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)
    assert not set(names) & set(Pseudonyms(key + b"x").of_all(ids))


def test_the_key_is_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("CLV_KEY", KEY)
    made = pseudonyms_of(settings_for(tmp_path, pseudonym_key_env="CLV_KEY"))
    assert made is not None
    assert KEY not in repr(made)


@pytest.mark.parametrize("key", ["", "short"])
def test_a_key_that_is_missing_or_short_is_refused(tmp_path, monkeypatch, key):
    monkeypatch.setenv("CLV_KEY", key)
    with pytest.raises(ConfigError, match="CLV_KEY must hold a secret of at least 16") as caught:
        pseudonyms_of(settings_for(tmp_path, pseudonym_key_env="CLV_KEY"))
    assert "short" not in str(caught.value)


def test_no_key_no_pseudonyms(tmp_path):
    assert pseudonyms_of(settings_for(tmp_path)) is None


def test_an_id_to_erase_is_read_as_the_log_reads_it(tmp_path):
    """What white space is no part of an id in the log is none here, and no other."""
    file = save(tmp_path, ["a", "a\u00a0", "\va", "a\t"])
    erase(settings_for(tmp_path), ["a\u00a0"])
    assert pd.read_parquet(file)["customer_id"].tolist() == ["a", "\va", "a\t"]
    erase(settings_for(tmp_path), ["\r\na \t"])
    assert pd.read_parquet(file)["customer_id"].tolist() == ["\va"]


def test_erasure_removes_the_person_everywhere_and_nobody_else(tmp_path):
    files = [save(tmp_path, ["1", "2", "3", "2"]), save(tmp_path, ["2", "4"], "2024-02-29")]
    other = save(tmp_path, ["1", "5"], "2024-03-31")
    untouched = other.read_bytes()
    schema = pq.read_schema(files[0])
    found = erase(settings_for(tmp_path), ["2", "not there"])
    assert [(item.file, item.rows) for item in found.removed] == [(files[0], 2), (files[1], 1)]
    assert pd.read_parquet(files[0])["customer_id"].tolist() == ["1", "3"]
    assert pd.read_parquet(files[0])["clv"].tolist() == [0, 2]
    assert pd.read_parquet(files[1])["customer_id"].tolist() == ["4"]
    assert pq.read_schema(files[0]) == schema
    assert other.read_bytes() == untouched
    assert not [file for file in tmp_path.rglob("*") if "erasing" in file.name]
    assert erase(settings_for(tmp_path), ["2"]) == Erased((), {})


def test_an_id_given_as_a_text_is_one_customer(tmp_path):
    """Not the customers whom its characters name."""
    file = save(tmp_path, ["1", "2", "12"])
    erase(settings_for(tmp_path), "12")
    assert pd.read_parquet(file)["customer_id"].tolist() == ["1", "2"]


def test_erasure_looks_through_folders_that_spark_wrote(tmp_path):
    """With their checksums, of which Spark refuses a file that does not match."""
    folder = tmp_path / "reports" / "shop" / "2024-01-31" / "customers.parquet"
    folder.mkdir(parents=True)
    parts = [folder / f"part-{at}.snappy.parquet" for at in range(2)]
    for part, ids in zip(parts, (["1", "2"], ["3"]), strict=True):
        pd.DataFrame({"customer_id": ids, "clv": 1.0}).to_parquet(part, index=False)
        (folder / f".{part.name}.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").touch()
    found = erase(settings_for(tmp_path), ["2"])
    assert [(item.file, item.rows) for item in found.removed] == [(parts[0], 1)]
    assert sorted(pd.read_parquet(folder)["customer_id"]) == ["1", "3"]
    kept = {path.name for path in folder.iterdir()}
    assert kept == {"_SUCCESS", f".{parts[1].name}.crc", *(part.name for part in parts)}


def test_erasure_finds_the_person_under_the_pseudonym(tmp_path, monkeypatch):
    monkeypatch.setenv("CLV_KEY", KEY)
    names = Pseudonyms(KEY.encode()).of_all(["1", "2"])
    file = save(tmp_path, names)
    found = erase(settings_for(tmp_path, pseudonym_key_env="CLV_KEY"), ["2"])
    assert [item.rows for item in found.removed] == [1]
    assert pd.read_parquet(file)["customer_id"].tolist() == names[:1]


def test_tables_without_customers_are_left_alone(tmp_path):
    file = tmp_path / "models" / "shop" / "v1" / "cohorts.parquet"
    file.parent.mkdir(parents=True)
    pd.DataFrame({"cohort": ["2"], "revenue": [1.0]}).to_parquet(file)
    assert erase(settings_for(tmp_path), ["2"]) == Erased((), {})


def damaged(file: Path, name: str) -> Path:
    """A copy of a Parquet file that ends too early."""
    broken = Path(os.path.normpath(file.parent / name))
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_bytes(file.read_bytes()[:-20])
    return broken


def test_a_file_that_cannot_be_read_keeps_no_other_from_erasure(tmp_path):
    """A run that was stopped leaves half a file, in a folder that comes first."""
    good = [save(tmp_path, ["1", "2", "3"]), save(tmp_path, ["2", "4"], "2024-02-29")]
    halves = [
        damaged(good[0], "../.2024-01-31-x1/.customers.parquet"),
        damaged(good[0], "../2023-12-31/customers.parquet"),
        damaged(good[1], ".customers.parquet"),
    ]
    empty = good[0].with_name("other.parquet")
    empty.touch()
    before = {file: file.read_bytes() for file in (*halves, empty)}
    found = erase(settings_for(tmp_path), ["2"])
    assert [(item.file, item.rows) for item in found.removed] == [(good[0], 1), (good[1], 1)]
    assert [pd.read_parquet(file)["customer_id"].tolist() for file in good] == [["1", "3"], ["4"]]
    assert set(map(Path.resolve, found.unread)) == {file.resolve() for file in halves}
    assert {file: file.read_bytes() for file in (*halves, empty)} == before
    for file in found.unread:
        assert str(file) in str(found.error)


def test_an_empty_file_holds_nobody(tmp_path):
    save(tmp_path, ["1", "2"]).with_name(".scores.parquet").touch()
    found = erase(settings_for(tmp_path), ["1"])
    assert [erasure.rows for erasure in found.removed] == [1]
    assert found.error is None


def test_erase_ends_with_1_and_names_what_it_could_not_search(tmp_path):
    good = save(tmp_path, ["1", "2"])
    half = damaged(good, "../.2024-02-29-x1/.customers.parquet")
    (tmp_path / "shop.toml").write_text(
        f'''
        name = "shop"
        source = {{ kind = "lifetimes", dataset = "CDNOW_sample" }}
        output = {{ models = "{tmp_path}/models", reports = "{tmp_path}/reports" }}
        '''
    )
    command = ["erase", "--config", str(tmp_path / "shop.toml"), "--customer", "2"]
    ran = run_clv(*command)
    assert ran.code == 1
    assert ran.out.startswith(f"{good}: 1 row removed\n")
    assert half.parent.name in ran.err
    assert "may hold the customer still" in ran.err
    assert pd.read_parquet(good)["customer_id"].tolist() == ["1"]
    again = run_clv(*command, "--json")
    assert again.code == 1
    assert again.json()["erased"] == []
    (named,) = again.json()["not_searched"]
    assert Path(named["file"]).resolve() == half.resolve()
    assert "Parquet" in named["reason"]
    assert "no other saved output of 'shop' holds them" in run_clv(*command).out
    half.unlink()
    assert run_clv(*command).code == 0


def test_what_a_stopped_erasure_left_is_searched_too(tmp_path):
    """Half of it goes with the next erasure of the file, a whole one is a file like any other."""
    file = save(tmp_path, ["1", "2"])
    left = damaged(file, f".{file.name}.erasing")
    assert erase(settings_for(tmp_path), ["2"]).unread == {}
    assert not left.exists()
    left.write_bytes(save(tmp_path, ["2", "3"], "2024-02-29").read_bytes())
    found = erase(settings_for(tmp_path), ["2"])
    assert {item.file.name for item in found.removed} == {left.name, file.name}
    assert pd.read_parquet(left)["customer_id"].tolist() == ["3"]


def test_a_link_is_searched_where_it_leads_inside_and_named_where_it_does_not(tmp_path):
    file = save(tmp_path, ["1", "2"])
    (file.parents[1] / "latest").symlink_to(file.parent)
    (file.parent / "same.parquet").symlink_to(file)
    outside = save(tmp_path / "elsewhere", ["2"])
    (file.parents[1] / "old").symlink_to(outside.parent)
    (file.parent / "old.parquet").symlink_to(outside)
    (file.parent / "gone.parquet").symlink_to(tmp_path / "nowhere")
    found = erase(settings_for(tmp_path), ["2"])
    assert [item.file for item in found.removed] == [file]
    assert set(found.unread) == {file.parents[1] / "old", file.parent / "old.parquet"}
    assert all("is a link to" in reason for reason in found.unread.values())
    assert pd.read_parquet(outside)["customer_id"].tolist() == ["2"]


@pytest.mark.parametrize("keyed", [True, False])
def test_an_id_that_is_no_text_is_refused(tmp_path, monkeypatch, keyed):
    """Bytes of a command line that are no UTF-8, as Python hands them on."""
    monkeypatch.setenv("CLV_KEY", KEY)
    file = save(tmp_path, ["1"])
    before = file.read_bytes()
    settings = settings_for(tmp_path, **({"pseudonym_key_env": "CLV_KEY"} if keyed else {}))
    with pytest.raises(ConfigError, match=r"'caf\\udce9' holds bytes that are no UTF-8 text"):
        erase(settings, ["1", b"caf\xe9".decode(errors="surrogateescape")])
    assert file.read_bytes() == before


def test_the_installed_command_refuses_an_id_that_is_no_text(tmp_path):
    save(tmp_path, ["1"])
    toml = tmp_path / "shop.toml"
    toml.write_text(
        f'''
        name = "shop"
        source = {{ kind = "lifetimes", dataset = "CDNOW_sample" }}
        output = {{ models = "{tmp_path}/models", reports = "{tmp_path}/reports" }}
        '''
    )
    command = [sys.executable, "-m", "pipelines.cli", "erase", "--config", str(toml)]
    done = subprocess.run([*command, "--customer", b"caf\xe9"], capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: the customer id 'caf\\udce9' holds bytes")


def test_a_key_may_be_any_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("CLV_KEY", os.fsdecode(b"\xff" * 16))
    made = pseudonyms_of(settings_for(tmp_path, pseudonym_key_env="CLV_KEY"))
    assert made == Pseudonyms(b"\xff" * 16)


def test_where_nothing_is_saved_nobody_is_called_gone(tmp_path):
    with pytest.raises(DataError, match=r"nothing was searched.*where the outputs were written"):
        erase(settings_for(tmp_path), ["2"])
    save(tmp_path, ["1"])
    with pytest.raises(DataError, match="an empty customer id"):
        erase(settings_for(tmp_path), ["1", " "])
