"""Every run ends in a report and a manifest, whatever Azure answers. ``make fuzz`` tries many more answers."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.fuzz.apis import APIS
from tests.functional.fuzz.worlds import in_memory

QUICK = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", APIS)
def test_any_answer_ends_in_a_report_and_harms_nothing(name: str) -> None:
    api = APIS[name]

    @QUICK
    @given(st.data())
    def run(data: st.DataObject) -> None:
        in_memory().run_all(api.dataset, api.collect(data.draw(api.answers)))

    run()
