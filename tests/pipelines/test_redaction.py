"""Secrets given in the wrong place, or repeated by a driver, are neither printed nor saved."""

from __future__ import annotations

import json

import example_logs as logs
import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop import TOML, run_clv

from clvmodels.core.errors import ConfigError, DataError
from pipelines import redaction
from pipelines.config import load
from pipelines.sources.connect import connect

PASSWORD = "hunter2"
URI = f"postgres://clv:{PASSWORD}@warehouse/sales"

WRONG_PLACES = {
    "source.uri_env": f'kind = "postgres"\ntable = "log"\nuri_env = "{URI}"',
    "source.uri_env of another kind": f'kind = "csv"\npath = "log.csv"\nuri_env = "{URI}"',
    "source.path": f'kind = "spark"\npath = "s3a://key:{PASSWORD}@bucket/log"',
    "source.path, signed": f'kind = "parquet"\npath = "https://b/log.parquet?sig={PASSWORD}"',
    "source.path, a list": f'kind = "csv"\npath = ["{URI}"]',
    "source.table": f'kind = "duckdb"\npath = "x.duckdb"\ntable = "{URI}"',
    "source.spark_options": (
        f'kind = "spark"\ntable = "t"\nspark_options = {{ "spark.redis.url" = "{URI}" }}'
    ),
    "an option of no text": (
        f'kind = "spark"\ntable = "t"\nspark_options = {{ "spark.x" = ["{PASSWORD}"] }}'
    ),
    "an option of Java": (
        'kind = "spark"\ntable = "t"\nspark_options = { "spark.driver.extraJavaOptions" = '
        f'"-Djavax.net.ssl.trustStorePassword={PASSWORD}" }}'
    ),
    "source.table, a blank": f'kind = "duckdb"\ntable = "postgres://clv:geh {PASSWORD}@host/db"',
    "source.table, a quote": f'kind = "duckdb"\ntable = "postgres://clv:p\'{PASSWORD}@host/db"',
    "source.table, a bracket": f'kind = "duckdb"\ntable = "postgres://clv:<{PASSWORD}@host/db"',
    "a second URI": f'kind = "csv"\npath = "s3://bucket/x,{URI}"',
    "a kind with a blank": f'kind = "postgres://clv:geh {PASSWORD}@host/db"',
    "a long kind": f'kind = "https://{PASSWORD}{"x" * 200}@host/db"',
    "a user with a blank": f'kind = "https://geh {PASSWORD}@host/db"',
    "an unknown key": f'kind = "csv"\npath = "log.csv"\nuri = "{URI}"',
    "an unknown kind": f'kind = "{URI}"',
}


@pytest.mark.parametrize("place", WRONG_PLACES)
@pytest.mark.parametrize("command", ["check", "train"])
def test_a_secret_in_the_configuration_is_refused_and_not_shown(tmp_path, place, command):
    file = tmp_path / "shop.toml"
    text = TOML.format(folder=tmp_path)
    file.write_text(text.replace('kind = "csv"\npath = "log.csv"', WRONG_PLACES[place]))
    ran = run_clv(command, "--config", str(file))
    assert ran.code == 2
    assert PASSWORD not in ran.out + ran.err
    assert ran.err.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["shop.toml"]


@pytest.mark.parametrize(
    "path",
    [
        "hv/token=abc/a.csv",
        "hv/account_key=1/*.csv",
        "hv/customer_token=5/x.csv",
        "hv/token_type=5/x.csv",
        "s3://bucket/token=abc/a.csv",
        "s3://bucket/12:00/a@b.csv",
    ],
)
def test_folders_that_are_named_like_secrets_are_none(path):
    """Hive writes folders ``column=value``, and columns have all sorts of names."""
    assert logs.config({"kind": "csv", "path": path}).source.path == path


@pytest.mark.parametrize("key", ["correct horse battery staple", "0f9c8e+/==", "pass:word"])
def test_a_key_of_pseudonyms_in_the_configuration_is_not_shown(key):
    with pytest.raises(ConfigError, match="takes the name of an environment variable") as caught:
        logs.config({"kind": "csv", "path": "x.csv"}, governance={"pseudonym_key_env": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "spark.executorEnv.AWS_SECRET_ACCESS_KEY",
        "spark.hadoop.fs.azure.account.oauth2.client.secret.lake.dfs.core.windows.net",
        "spark.hadoop.fs.azure.sas.container.lake.blob.core.windows.net",
        "spark.hadoop.fs.gs.auth.service.account.private.key",
        "spark.hadoop.fs.s3a.session.token",
        "spark.hadoop.fs.s3a.bucket.logs.secret.key",
    ],
)
def test_more_options_that_hold_secrets_are_refused(key):
    with pytest.raises(ConfigError, match=r"spark-defaults\.conf") as caught:
        logs.config({"kind": "spark", "table": "log", "spark_options": {key: PASSWORD}})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "spark.hadoop.fs.s3a.aws.credentials.provider",
        "spark.hadoop.security.credential.provider.path",
        "spark.kubernetes.authenticate.oauthTokenFile",
        "spark.ssl.keyStore",
        "spark.io.encryption.keySizeBits",
        "spark.sql.shuffle.partitions",
    ],
)
def test_options_that_say_where_a_secret_is_kept_are_none(key):
    logs.config({"kind": "spark", "table": "log", "spark_options": {key: "7"}})


@pytest.mark.parametrize("kind", ["postgres", "uri"])
def test_what_a_driver_repeats_while_it_is_connected_is_not_shown(monkeypatch, tmp_path, kind):
    """Whatever it raises, and wherever: the words stay, the secrets go."""
    uri = f"duckdb:///{tmp_path}/x.duckdb?user=clv&access_token=T0K3N%2Fx&password={PASSWORD}"
    monkeypatch.setenv("CLV_SECRET_URI", uri)
    monkeypatch.setattr(ibis, "connect", lambda given: ibis.duckdb.connect())
    settings = logs.config({"kind": kind, "uri_env": "CLV_SECRET_URI", "table": "log"})
    for error in (DataError, RuntimeError):
        said = f"lost {uri}: no login with {PASSWORD}, T0K3N/x; passwd='{PASSWORD}'"
        with pytest.raises(error) as caught, connect(settings.log):
            raise error(said, 7) from OSError(said)
        assert PASSWORD not in str(caught.value)
        assert "T0K3N" not in str(caught.value)
        assert "lost $CLV_SECRET_URI: no login with" in str(caught.value)
        assert caught.value.args[1] == 7
        assert PASSWORD not in str(caught.value.__cause__)


def test_hidden_parts_leave_the_rest_to_read():
    for text, shown in (
        (f"cannot reach {URI}; set it", "cannot reach postgres://***@warehouse/sales; set it"),
        ("s3a://bucket/a@b.csv", "s3a://bucket/a@b.csv"),
        ("http://host:8080/x", "http://host:8080/x"),
        ("host=h password=abc user=u", "host=h password=*** user=u"),
        ("https://a/x?sv=1&sig=AbC%3D&se=2", "https://a/x?sv=1&sig=***&se=2"),
        ("[columns] amount = 'value'", "[columns] amount = 'value'"),
        ("PASSWORD: abc", "PASSWORD: ***"),
        ("token:abc, host: h", "token:***, host: h"),
        ('{"password": "a b", "n": 1}', '{"password": ***, "n": 1}'),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic YWJj', 'n': 1}", "{'authorization': 'Basic ***', 'n': 1}"),
        ("token://x is no such thing", "token://x is no such thing"),
        ("design = 5, sigma=2, key=3", "design = 5, sigma=2, key=3"),
    ):
        assert redaction.redacted(text) == shown


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Z", "C"], exclude_characters="'\"<>"), min_size=3
    )
)
def test_no_password_of_a_uri_is_left(password):
    uri = f"postgres://clv:{password}@host/db"
    told = redaction.without(f"no route to {uri} ({uri})", redaction.secrets_in(uri), "$NAME")
    assert told == "no route to $NAME ($NAME)"
    assert redaction.redacted(f"no route to {uri}") == "no route to postgres://***@host/db"


def test_manifest_and_report_name_the_variable_only(trained):
    """What is saved holds the configuration; nothing in it can be a secret by then."""
    for path in (*trained.models.rglob("*.json"), *trained.reports.rglob("*.json")):
        for key, text in load._texts(json.loads(path.read_text())):
            assert not redaction.holds_secret(text), (path, key)
            assert not redaction.assigns_secret(text), (path, key)
