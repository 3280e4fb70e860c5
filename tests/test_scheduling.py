"""Which notebooks run side by side."""

from types import SimpleNamespace

import pytest

from runner import scheduling


@pytest.mark.parametrize(("size", "at_once"), [(None, 2), (1000, 2), (scheduling._LARGE + 1, 1)])
def test_notebooks_of_large_tables_run_one_after_another(tmp_path, monkeypatch, size, at_once):
    monkeypatch.setattr(scheduling, "_AT_ONCE", 2)
    stages = [SimpleNamespace(number=number, needs=()) for number in ("05", "06", "07")]
    work = SimpleNamespace(
        plan=SimpleNamespace(series=stages), place=SimpleNamespace(tree=tmp_path)
    )
    if size is not None:
        (tmp_path / "stages").mkdir()
        with (tmp_path / "stages" / "01_customers.parquet").open("wb") as file:
            file.truncate(size)
    schedule = scheduling._Schedule(work, None, None)
    for begun in range(at_once):
        assert schedule._next() is stages[begun]
        schedule._waiting.remove(stages[begun])
        schedule._running[f"run {begun}"] = stages[begun]
    assert schedule._next() is None
