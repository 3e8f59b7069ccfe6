"""What is printed is what was meant: no markup, no emoji, no commands to the terminal."""

from __future__ import annotations

import contextlib
import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop import make_shop, run_clv

from pipelines import console

ODD = [
    ":x:",
    ":smile:",
    "[red]",
    "[/red]",
    "[link=x]y[/link]",
    "\\[bold]",
    "a:b:c",
    "[ERROR]",
    "%s",
]


def printed(text: str) -> tuple[str, str]:
    """What ``say`` and ``complain`` print of a text."""
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        console.say(text)
        console.complain(text)
    return out.getvalue().removesuffix("\n"), error.getvalue().removesuffix("\n")


@pytest.mark.parametrize("text", ODD)
def test_markup_and_emoji_are_printed_as_they_are(text):
    assert printed(text) == (text, f"error: {text}")


@pytest.mark.parametrize("text", ODD)
def test_a_step_s_title_is_printed_as_it_is(text):
    error = io.StringIO()
    step = console.Progress().step(f"read {text}")
    with contextlib.redirect_stderr(error), step as so_far:
        so_far(text)
    assert error.getvalue().rstrip("\n").endswith(f" s  read {text}")


@given(st.text(st.characters(exclude_characters="=@")))
def test_no_character_steers_the_terminal(text):
    out, error = printed(text)
    for shown in (out, error):
        steering = [c for c in shown if c not in "\t\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
        assert steering == []
        assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028")
    assert "\n" not in error
    plain = "".join(c for c in text if c.isalnum())
    if text == plain:
        assert out == text


def test_escapes_are_written_out():
    assert printed("\x1b[31mred\x07\x9b\r\u202e") == (
        "\\x1b[31mred\\x07\\x9b\\r\\u202e", "error: \\x1b[31mred\\x07\\x9b\\r\\u202e"
    )  # fmt: skip
    assert printed("one\ntwo") == ("one\ntwo", "error: one\\ntwo")


def test_a_stream_that_cannot_hold_a_character_gets_its_number(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    monkeypatch.setattr(sys, "stdout", stream)
    console.say("Müller \udcff")
    stream.flush()
    assert stream.buffer.getvalue() == b"M\\xfcller \\udcff\n"


@pytest.mark.parametrize("name", [":x:.toml", "[red]x[/red].toml", "\x1b[31m.toml", "\udcff.toml"])
def test_the_name_of_a_file_is_printed_as_it_is(tmp_path, name):
    ran = run_clv("check", "--config", str(tmp_path / name))
    assert ran.code == 2
    shown = name.replace("\x1b", "\\x1b").replace("\udcff", "\\udcff")
    assert f"no configuration file {tmp_path / shown};" in ran.err


def test_ids_are_printed_as_they_are(tmp_path, log):
    odd = log.head(30).assign(when="soon")
    odd.loc[odd.index[:3], "who"] = [":x:", "[red]7", "\x1b[31m8"]
    ran = make_shop(tmp_path, odd).clv("check", "--show", "5", "--quiet")
    assert ":x:" in ran.out
    assert "[red]7" in ran.out
    assert "\\x1b[31m8" in ran.out
    assert "\x1b" not in ran.out + ran.err
