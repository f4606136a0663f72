"""What can go wrong with a dataset."""

from __future__ import annotations

from apps.core.errors import Conflict, InvalidInput, NotFound


class DatasetNotFound(NotFound):
    code = "dataset_not_found"
    title = "There is no such dataset"


class DatasetVersionNotFound(NotFound):
    code = "dataset_version_not_found"
    title = "There is no such version"


class ExampleNotFound(NotFound):
    code = "example_not_found"
    title = "There is no such example"


class ImportNotFound(NotFound):
    code = "import_not_found"
    title = "There is no such import"


class DatasetArchived(Conflict):
    code = "dataset_archived"
    title = "The dataset is archived"


class FileUnreadable(InvalidInput):
    """The whole file cannot be imported; `detail` says where and why."""

    code = "file_unreadable"
    title = "The file cannot be imported"


class MappingInvalid(InvalidInput):
    code = "mapping_invalid"
    title = "The mapping does not fit the file"


class NoGoodRows(InvalidInput):
    code = "no_good_rows"
    title = "No row could be imported"


class ImportFinished(Conflict):
    code = "import_finished"
    title = "The import is no longer waiting"


class StaleEdit(Conflict):
    """Someone saved a newer state of this example while it was being edited."""

    code = "stale_edit"
    title = "Someone changed this example meanwhile"


class ExampleExists(Conflict):
    code = "example_exists"
    title = "There is such an example already"


class DraftEmpty(Conflict):
    code = "draft_empty"
    title = "There is nothing to publish"


class DraftConflict(Conflict):
    """An import or another publication changed examples that the draft changes too."""

    code = "draft_conflict"
    title = "The draft conflicts with newer changes"


class LeaseLost(Exception):
    """Another worker has taken over this import, or somebody cancelled it; stop without writing."""
