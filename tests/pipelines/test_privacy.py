"""Pseudonyms that need the key, and erasure that leaves everybody else."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.exceptions import ConfigError, DataError
from pipelines import config, privacy
from pipelines.privacy import Pseudonyms

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
    made = privacy.pseudonyms(settings_for(tmp_path, pseudonym_key_env="CLV_KEY"))
    assert made is not None
    assert KEY not in repr(made)


@pytest.mark.parametrize("key", ["", "short"])
def test_a_key_that_is_missing_or_short_is_refused(tmp_path, monkeypatch, key):
    monkeypatch.setenv("CLV_KEY", key)
    with pytest.raises(ConfigError, match="CLV_KEY must hold a secret of at least 16") as caught:
        privacy.pseudonyms(settings_for(tmp_path, pseudonym_key_env="CLV_KEY"))
    assert "short" not in str(caught.value)


def test_no_key_no_pseudonyms(tmp_path):
    assert privacy.pseudonyms(settings_for(tmp_path)) is None


def test_an_id_to_erase_is_read_as_the_log_reads_it(tmp_path):
    """What white space is no part of an id in the log is none here, and no other."""
    file = save(tmp_path, ["a", "a\u00a0", "\va", "a\t"])
    privacy.erase(settings_for(tmp_path), ["a\u00a0"])
    assert pd.read_parquet(file)["customer_id"].tolist() == ["a", "\va", "a\t"]
    privacy.erase(settings_for(tmp_path), ["\r\na \t"])
    assert pd.read_parquet(file)["customer_id"].tolist() == ["\va"]


def test_erasure_removes_the_person_everywhere_and_nobody_else(tmp_path):
    files = [save(tmp_path, ["1", "2", "3", "2"]), save(tmp_path, ["2", "4"], "2024-02-29")]
    other = save(tmp_path, ["1", "5"], "2024-03-31")
    untouched = other.read_bytes()
    schema = pq.read_schema(files[0])
    found = privacy.erase(settings_for(tmp_path), ["2", "not there"])
    assert [(item.file, item.rows) for item in found] == [(files[0], 2), (files[1], 1)]
    assert pd.read_parquet(files[0])["customer_id"].tolist() == ["1", "3"]
    assert pd.read_parquet(files[0])["clv"].tolist() == [0, 2]
    assert pd.read_parquet(files[1])["customer_id"].tolist() == ["4"]
    assert pq.read_schema(files[0]) == schema
    assert other.read_bytes() == untouched
    assert not [file for file in tmp_path.rglob("*") if "erasing" in file.name]
    assert privacy.erase(settings_for(tmp_path), ["2"]) == []


def test_an_id_given_as_a_text_is_one_customer(tmp_path):
    """Not the customers whom its characters name."""
    file = save(tmp_path, ["1", "2", "12"])
    privacy.erase(settings_for(tmp_path), "12")
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
    found = privacy.erase(settings_for(tmp_path), ["2"])
    assert [(item.file, item.rows) for item in found] == [(parts[0], 1)]
    assert sorted(pd.read_parquet(folder)["customer_id"]) == ["1", "3"]
    kept = {path.name for path in folder.iterdir()}
    assert kept == {"_SUCCESS", f".{parts[1].name}.crc", *(part.name for part in parts)}


def test_erasure_finds_the_person_under_the_pseudonym(tmp_path, monkeypatch):
    monkeypatch.setenv("CLV_KEY", KEY)
    names = Pseudonyms(KEY.encode()).of_all(["1", "2"])
    file = save(tmp_path, names)
    found = privacy.erase(settings_for(tmp_path, pseudonym_key_env="CLV_KEY"), ["2"])
    assert [item.rows for item in found] == [1]
    assert pd.read_parquet(file)["customer_id"].tolist() == names[:1]


def test_tables_without_customers_are_left_alone(tmp_path):
    file = tmp_path / "models" / "shop" / "v1" / "cohorts.parquet"
    file.parent.mkdir(parents=True)
    pd.DataFrame({"cohort": ["2"], "revenue": [1.0]}).to_parquet(file)
    assert privacy.erase(settings_for(tmp_path), ["2"]) == []


def test_a_file_that_cannot_be_read_is_not_passed_over(tmp_path):
    file = save(tmp_path, ["1", "2"])
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match="which may hold the customer"):
        privacy.erase(settings_for(tmp_path), ["2"])


def test_where_nothing_is_saved_nobody_is_called_gone(tmp_path):
    with pytest.raises(DataError, match=r"nothing was searched.*where the outputs were written"):
        privacy.erase(settings_for(tmp_path), ["2"])
    save(tmp_path, ["1"])
    with pytest.raises(DataError, match="an empty customer id"):
        privacy.erase(settings_for(tmp_path), ["1", " "])
