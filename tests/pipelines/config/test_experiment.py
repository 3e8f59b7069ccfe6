"""The file of an experiment, and the page that lists its keys."""

from pathlib import Path

import pytest

from clvmodels.core.errors import ConfigError
from pipelines.config.experiment import Ahead, Arm, Assignment, Experiment, Factor, load_experiment

ROOT = Path(__file__).parents[3]
SECTIONS = {
    "The file": Experiment,
    "[assignment]": Assignment,
    "[factors.NAME]": Factor,
    "[factors.NAME.arms.ARM]": Arm,
    "[plan]": Ahead,
}


def documented() -> str:
    parts = []
    for name, section in SECTIONS.items():
        rows = ["| key | default | meaning |", "|---|---|---|"]
        for key, field in section.model_fields.items():
            none = field.is_required() or field.default in (None, "", (), {})
            default = "" if none else field.default
            if isinstance(default, tuple):
                default = ", ".join(default)
            shown = f"`{default}`" if default != "" else ""
            rows.append(f"| `{key}` | {shown} | {field.description or ''} |")
        parts.append(f"### {name}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def test_the_page_lists_every_key_with_its_default():
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    assert text.split("## All keys\n\n")[1] == documented(), documented()


def test_the_page_s_example_is_valid(tmp_path):
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    (tmp_path / "spring.toml").write_text(example, encoding="utf-8")
    found = load_experiment(tmp_path / "spring.toml")
    assert found.assignment.path == str(tmp_path / "assigned.csv")


def test_an_empty_or_broken_file_is_refused(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="missing key 'name'; missing key 'factors'"):
        load_experiment(file)
    file.write_text("[", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_experiment(file)
