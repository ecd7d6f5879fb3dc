import pytest
from django.core.management import call_command

from .test_layers import ROOT


@pytest.mark.django_db
def test_the_migration_is_what_the_models_say():
    call_command("makemigrations", "live_notifications", "--check", "--dry-run")


def test_there_is_one_migration_until_the_first_release():
    migrations = {path.name for path in (ROOT / "migrations").glob("0*.py")}

    assert migrations == {"0001_initial.py"}
