"""Foreign keys obey the order of the imports: a row points only at rooms to its right."""

from __future__ import annotations

from django.apps import apps

#: From left to right; rooms in the same place are beside each other and do not point at each other.
PLACES = (
    {"training"},
    {"feedback"},
    {"workbench"},
    {"evaluations"},
    {"traces"},
    {"prompts", "datasets"},
    {"providers"},
    {"core"},
)
PLACE_OF = {room: place for place, rooms in enumerate(PLACES) for room in rooms}


def our_models():
    return [model for model in apps.get_models() if model.__module__.startswith("apps.")]


def test_every_room_has_a_place():
    assert {model._meta.app_label for model in our_models()} <= set(PLACE_OF)


def test_a_row_points_only_at_rooms_to_its_right():
    wrong = []
    for model in our_models():
        for field in model._meta.get_fields():
            if not (field.is_relation and field.concrete and field.related_model):
                continue
            here, there = model._meta.app_label, field.related_model._meta.app_label
            if there in PLACE_OF and there != here and PLACE_OF[there] <= PLACE_OF[here]:
                wrong.append(f"{model._meta.label}.{field.name} → {field.related_model._meta.label}")
    assert not wrong
