"""A run's values of one metric, in columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .intervals import MeanInterval, mean_interval, usable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .verdict import Scale


@dataclass(frozen=True, slots=True)
class Sample:
    """`values[i]` is one value of example number `examples[i]`; an example has one for each repetition."""

    examples: NDArray[np.intp]
    values: NDArray[np.float64]

    def finite(self) -> Sample:
        """Without what is no number, or too large to reckon with: that is missing."""
        keep = usable(self.values)
        return self if keep.all() else Sample(self.examples[keep], self.values[keep])

    def means(self, count: int) -> NDArray[np.float64]:
        """The mean of each of `count` examples; NaN where it has no value."""
        import numpy as np

        numbers = np.bincount(self.examples, minlength=count)
        sums = np.bincount(self.examples, weights=self.values, minlength=count)
        means = np.full(count, np.nan)
        np.divide(sums, numbers, out=means, where=numbers > 0)
        return means

    def repeats(self, among: NDArray[np.bool_]) -> bool:
        """Whether an example has several values; `among` says of each example whether it counts."""
        import numpy as np

        numbers = np.bincount(self.examples, minlength=among.size)
        return bool((numbers[among] > 1).any())

    def interval(self, among: NDArray[np.bool_], scale: Scale) -> MeanInterval:
        """The mean over the examples that count, with its own interval."""
        keep = among[self.examples]
        clusters = self.examples[keep] if self.repeats(among) else None
        return mean_interval(self.values[keep], binary=scale == "binary", clusters=clusters)
