"""The list of the notebooks."""

from pathlib import Path

from runner.notebook_files import read_notebook
from runner.parameters import read_parameters
from segmentation.stages import SERIES, STAGES, dependents

FOLDER = Path(__file__).parents[1] / "notebooks"


def test_the_series_is_the_notebooks_in_their_order():
    assert [stage.file for stage in SERIES] == sorted(p.name for p in FOLDER.glob("*.ipynb"))
    numbers = [stage.number for stage in SERIES]
    for place, stage in enumerate(SERIES):
        assert set(stage.needs) <= set(numbers[:place])
    assert len({stage.topic for stage in SERIES}) == len(SERIES)


def test_dependents_reach_all_the_way():
    assert dependents(STAGES["03"], SERIES) == [s for s in SERIES if s.number > "03"]
    assert dependents(STAGES["02"], SERIES) == []


def test_parameters_are_of_types_that_the_command_line_can_read():
    for stage in SERIES:
        for parameter in read_parameters(read_notebook(FOLDER / stage.file)).values():
            assert parameter.annotation in ("int", "float", "bool", "str"), (stage, parameter)
            assert type(parameter.default).__name__ == parameter.annotation, (stage, parameter)
