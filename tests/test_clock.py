from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifications import clock

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_time_is_the_databases_and_aware():
    now = clock.now()

    assert timezone.is_aware(now)
    assert abs(now - timezone.now()) < timedelta(seconds=5)


def test_the_time_is_naive_and_local_without_time_zone_support(settings):
    settings.USE_TZ = False

    now = clock.now()

    assert timezone.is_naive(now)
    assert abs(now - timezone.now()) < timedelta(seconds=5)


@pytest.mark.postgres
def test_without_time_zone_support_the_time_is_the_sites_whichever_zone_is_active(
    settings,
):
    settings.USE_TZ = False

    with timezone.override("Asia/Tokyo"):
        now = clock.now()

    assert abs(now - timezone.now()) < timedelta(seconds=5)


@pytest.mark.postgres
def test_the_time_goes_on_within_a_transaction():
    with transaction.atomic():
        first = clock.now()
        second = clock.now()

    assert first < second


@pytest.mark.postgres
def test_the_time_does_not_depend_on_the_connections_zone():
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'Asia/Tokyo'")
        now = clock.now()
        cursor.execute("SET TIME ZONE 'UTC'")

    assert abs(now - timezone.now()) < timedelta(seconds=5)
