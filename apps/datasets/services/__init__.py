"""Writing datasets. Other rooms call what is named here."""

from apps.datasets.services.adding import Added, NewExample, examples_add
from apps.datasets.services.datasets import dataset_archive, dataset_create, dataset_update
from apps.datasets.services.drafts import (
    draft_change_discard,
    draft_change_keep,
    draft_discard,
    draft_example_delete,
    draft_example_save,
    draft_publish,
)
from apps.datasets.services.filling import dataset_fill
from apps.datasets.services.imports import (
    import_cancel,
    import_preview,
    import_refuse,
    import_run,
    import_start,
    import_upload,
    imports_sweep,
)

__all__ = [
    "Added",
    "NewExample",
    "dataset_archive",
    "dataset_create",
    "dataset_fill",
    "dataset_update",
    "draft_change_discard",
    "draft_change_keep",
    "draft_discard",
    "draft_example_delete",
    "draft_example_save",
    "draft_publish",
    "examples_add",
    "import_cancel",
    "import_preview",
    "import_refuse",
    "import_run",
    "import_start",
    "import_upload",
    "imports_sweep",
]
