"""The shape of the folders: what `make house` prints has nothing out of order."""

import house


def test_nothing_is_out_of_order():
    assert house.faults() == []


def test_a_fault_would_be_seen(monkeypatch):
    monkeypatch.setattr(house, "MOST_MODULES", 2)
    monkeypatch.setattr(house, "line", lambda name: "")
    found = house.faults()
    assert any("clvmodels.core holds" in fault for fault in found)
    assert "pipelines.cli has no line that says what it is" in found


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
