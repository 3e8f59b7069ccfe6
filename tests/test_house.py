"""The shape of the folders: what `make house` prints has nothing out of order."""

import ast

import house


def test_nothing_is_out_of_order():
    assert house.faults() == []


def test_a_fault_would_be_seen(monkeypatch):
    monkeypatch.setattr(house, "MOST_MODULES", 2)
    monkeypatch.setattr(house, "line", lambda name: "")
    found = house.faults()
    assert any("clvmodels.core holds" in fault for fault in found)
    assert "pipelines.cli has no line that says what it is" in found


def test_a_function_that_takes_the_whole_config_would_be_seen(monkeypatch):
    code = """
def load(config: Config) -> None: ...
def fit(train: Train, config: Config | None = None) -> None: ...
@dataclass
class Holder:
    settings: Config
class Sections:
    train: Train
"""
    trees = {name: ast.parse(code) for name in ("pipelines.training.fit", "pipelines.jobs.train")}
    monkeypatch.setattr(house, "modules", lambda: trees)
    assert list(house.config_parameters()) == [
        f"pipelines.training.fit.{name}" for name in ("load", "fit", "Holder")
    ]


def test_a_long_function_would_be_seen_and_a_table_is_none(monkeypatch):
    rows = "\n".join(f"        {i}," for i in range(70))
    steps = "\n".join(f"    x = {i}" for i in range(70))
    code = f"""
def table():
    "What there is."
    first = 1
    return [
{rows}
    ]
def work():
{steps}
def loop():
    for one in [
{rows}
    ]:
        print(one)
"""
    monkeypatch.setattr(house, "modules", lambda: {"pipelines.training.fit": ast.parse(code)})
    assert list(house.long_functions()) == [
        "pipelines.training.fit.work (71)",
        "pipelines.training.fit.loop (74)",
    ]


def test_circles_and_floors_are_told(monkeypatch):
    above = {"a.x": {"a.y"}, "a.y": {"a.z"}, "a.z": set(), "a.p": {"a.q"}, "a.q": {"a.p"}}
    monkeypatch.setattr(house, "_rooms", lambda package: above)
    assert house.floors("a") == ([["a.z"], ["a.y"], ["a.x"]], ["a.p", "a.q"])


def test_the_architecture_page_names_every_module():
    page = (house.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    short = {name.rpartition(".")[2] for name in house.modules() if "report." not in name}
    assert {name for name in short if f"`{name}`" not in page and f"/{name}`" not in page} <= {
        "clvmodels", "pipelines", "simulate", "features", "engines", "model"
    }  # fmt: skip
