import json

from django.utils.translation import ngettext_lazy

from notifications.plurals import plural_forms

TEXT = ngettext_lazy("%(count)s new", "%(count)s new ones", "count")


def test_every_form_leaves_the_place_of_its_number_open():
    forms = json.loads(plural_forms(TEXT))

    assert forms["one"] == "{count} new"
    assert forms["other"] == forms["many"] == "{count} new ones"
