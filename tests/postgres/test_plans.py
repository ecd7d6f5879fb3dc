"""What inbox, stream and sweep read does not grow with the table."""

import pytest

from benchmarks.plans import SIZES, failures, measure, table

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    # VACUUM runs outside of transactions only.
    pytest.mark.django_db(transaction=True),
]


def test_each_read_goes_by_index_and_touches_few_pages_however_many_rows_there_are():
    by_size = {size: measure(size) for size in SIZES}

    failed = list(failures(*by_size.values()))

    assert not failed, "\n".join([*failed, table(by_size)])
