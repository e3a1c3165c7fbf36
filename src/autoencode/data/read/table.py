"""Tables: which columns are learned, and their values, labels, names and groups."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autoencode.data.options import Options
from autoencode.data.preprocessing import Column, Preprocessing
from autoencode.data.raw import RawData
from autoencode.data.read.cells import Cells, as_text, column_of
from autoencode.data.read.frame import Frame
from autoencode.data.read.suspicions import of_columns, of_label
from autoencode.errors import DataError, nearest

if TYPE_CHECKING:
    import pandas as pd


def read_table(
    frames: Mapping[str, Frame],
    options: Options,
    given: Preprocessing | None = None,
    labels: Mapping[str, Any] | None = None,
) -> RawData:
    """The columns of a table as numbers, and the labels, names and groups of its rows.

    frames: the table of each part, or one table "all".
    given: the preprocessing of a trained model, whose columns are found by name; without it, or
        where it is not that of a table, the columns follow from the options.
    labels: of each part, where they are not a column.

    Raises:
        DataError: a column that does not exist, or that cannot be used.
    """
    joined, rows = _joined(frames, options)
    table = _Table(joined, options, rows)
    if labels is not None and options.label is not None:
        raise DataError("Labels and a label column are given", "Leave one of them out.")
    known = given is not None and given.is_table
    columns, values = table.known(given) if given and known else table.learned()
    if labels is not None:
        classes, y = _given_labels(labels, list(frames))
    else:
        classes, y = table.labels(list(frames), [len(each.table) for each in frames.values()])
    if not known:
        table.notices += of_columns(columns, values, options, rows)
        if labels is None and options.label is None and not options.no_labels:
            table.notices += of_label(columns, values)
    x = np.stack(values, 1)
    groups = table.groups()
    parts, names, grouped, start = {}, {}, {}, 0
    for part, frame in frames.items():
        end = start + len(frame.table)
        parts[part] = x[start:end], y.get(part)
        names[part] = rows[start:end]
        if groups is not None:
            grouped[part] = groups[start:end]
        start = end
    notices = [notice for frame in frames.values() for notice in frame.notices]
    return RawData(
        parts,
        classes,
        notices=tuple(dict.fromkeys([*notices, *table.notices])),
        names=names,
        groups=grouped,
        columns=columns,
    )


class _Table:
    """A table of which columns are read one at a time; `notices` collects what is stated."""

    def __init__(self, frame: Frame, options: Options, rows: list[str]) -> None:
        self.table, self.text = frame.table, frame.text
        self.options, self.rows, self.notices = options, rows, list[str]()
        self.all = [str(name) for name in self.table.columns]
        self.tokens: Counter[str] = Counter()
        if not len(self.table):
            raise DataError(f"{frame.name} has no rows", "Give some rows.")
        for what in ("label", "id", "group"):
            if (name := getattr(options, what)) is not None:
                self._check([name], what)
        for what in ("columns", "categorical"):
            self._check(getattr(options, what) or (), what)

    def _check(self, names: Iterable[str], what: str) -> None:
        for name in names:
            if name not in self.all:
                near = nearest(name, self.all)
                hint = f'Did you mean "{near}"? ' if near else ""
                listed = ", ".join(self.all[:50]) + (" and so on" if len(self.all) > 50 else "")
                raise DataError(
                    f'{what}: the table has no column "{name}"', f"{hint}Its columns: {listed}."
                )

    def cells(self, name: str) -> Cells:
        """The cleaned cells of a column."""
        found = Cells(name, self.table[name], self.text)
        self.notices += found.notices
        self.tokens += found.tokens
        return found

    def learned(self) -> tuple[tuple[Column, ...], list[np.ndarray]]:
        """The columns that the model learns, and their values; unusable ones are refused at once.

        Raises:
            DataError: it names all columns that cannot be used, and those that can.
        """
        options = self.options
        names: Sequence[str] = tuple(dict.fromkeys(options.columns or ()))
        if options.label is not None and options.label in names:
            raise DataError(
                f"columns contains {options.label}, which is the label",
                f"Leave it out of one of them: {_choice([n for n in names if n != options.label])}",
            )
        if not names:
            roles = (options.label, options.id, options.group)
            names = [name for name in self.all if name not in roles]
            names = [name for name in names if not self._is_index(name)]
        if not names:
            raise DataError("The table has no column to learn", "Give more columns.")
        columns, values, problems, usable = [], [], list[str](), list[str]()
        identifier = None
        for name in names:
            try:
                cells = self.cells(name)
                column, x = column_of(cells, name in (options.categorical or ()), self.rows)
            except DataError as error:
                problems.append(error.what)
                if not self.table[name].duplicated().any():
                    identifier = identifier or name
                continue
            columns.append(column)
            values.append(x)
            usable.append(name)
        if problems:
            what = "; ".join(problems)
            fix = "Correct these cells, or give other columns"
            if usable:
                it = "it" if len(problems) == 1 else "them"
                fix = f"Leave {it} out: {_choice(usable)}"
                if identifier is not None and options.id is None:
                    also = "or" if len(problems) == 1 else "and"
                    flag = f"--id {shlex.quote(identifier)} (id={identifier!r})"
                    fix += f", {also} name the rows by {identifier}: {flag}"
            raise DataError(what[0].upper() + what[1:], f"{fix}.")
        self._state_tokens()
        return tuple(columns), values

    def known(self, given: Preprocessing) -> tuple[tuple[Column, ...], list[np.ndarray]]:
        """The columns of a trained model, found by name, and their values.

        Raises:
            DataError: a column is missing, or has values that the model cannot take.
        """
        options, known = self.options, given.columns
        names = [column.name for column in known]
        if options.columns is not None and set(options.columns) != set(names):
            raise DataError(
                f"columns is {', '.join(options.columns)}, and the model was trained on "
                f"{', '.join(names)}",
                "Leave columns out.",
            )
        missing = [name for name in names if name not in self.all]
        if missing:
            near = [(name, nearest(name, self.all)) for name in missing]
            hints = [f"{there} may be {name}" for name, there in near if there]
            raise DataError(
                f"The table has no column {', '.join(missing)}, which the model was trained on",
                f"Add the column, or rename one: {', '.join(hints)}."
                if hints
                else f"Add the column; there are {', '.join(self.all[:50])}.",
            )
        values = []
        for column in known:
            try:
                cells = self.cells(column.name)
                if column.kind == "numeric":
                    values.append(cells.numbers(self.rows))
                else:
                    values.append(cells.indices(column.categories, self.rows))
            except DataError as error:
                what = error.what[0].upper() + error.what[1:]
                empty = ", or leave the cell empty" if given.missing else ""
                fix = f"Correct it{empty}, or leave the row out."
                raise DataError(what, fix) from error
        self._state_tokens()
        roles = (options.label, options.id, options.group)
        extra = [name for name in self.all if name not in names and name not in roles]
        if extra and options.columns is None:
            more = " and so on" if len(extra) > 10 else ""
            count = "1 column" if len(extra) == 1 else f"{len(extra)} columns"
            self.notices.append(
                f"{count} that the model was not trained on {'is' if len(extra) == 1 else 'are'} "
                "not used: "
                f"{', '.join(extra[:10])}{more}."
            )
        return known, values

    def labels(
        self, parts: Sequence[str], sizes: Sequence[int]
    ) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
        """The names of the classes, and the class of each row of each part, −1 if unknown."""
        name = self.options.label
        if name is None or self.options.no_labels:
            return (), {}
        cells = self.cells(name)
        if (decimal := _decimal(cells)) is not None:
            others = _choice([each for each in self.options.columns or self.all if each != name])
            raise DataError(
                f"Label: column {name} has the value {decimal:.6g}, so it is a number and no class",
                f"Give another label, or leave the column out: instead of the label give {others}.",
            )
        classes, codes = cells.categories()
        if not classes:
            raise DataError(f"Label: column {name} has only missing values", "Give another label.")
        if unknown := int((codes < 0).sum()):
            self.notices.append(f"{unknown:,} rows have no label in column {name}.")
        if len(classes) > max(20, len(codes) // 2):
            self.notices.append(
                f"Column {name} has {len(classes):,} classes in {len(codes):,} rows, and may be "
                "no label."
            )
        divided = np.split(codes, np.cumsum(sizes)[:-1])
        # A part without any label, as the test part of a competition, has none.
        return classes, {part: y for part, y in zip(parts, divided, strict=True) if (y >= 0).any()}

    def groups(self) -> np.ndarray | None:
        """The group of each row, [N], as a number."""
        if self.options.group is None:
            return None
        name = self.options.group
        names, codes = self.cells(name).categories()
        if (codes < 0).any():
            first = self.rows[int(np.flatnonzero(codes < 0)[0])]
            raise DataError(
                f"Group: column {name} is empty in {int((codes < 0).sum()):,} rows, the first "
                f"{first}",
                "Fill these cells.",
            )
        self.notices.append(f"The rows form {len(names):,} groups by {name}.")
        return codes

    def _is_index(self, name: str) -> bool:
        """Whether a column without a name counts the rows or is empty; then it is left out."""
        if not re.fullmatch(r"Unnamed: \d+", name):
            return False
        cells = Cells(name, self.table[name], self.text)
        if cells.missing.all():
            what = "is empty"
        elif cells.is_number and (np.diff(cells.numbers(self.rows)) > 0).all():
            what = "counts the rows"
        else:
            return False
        self.notices.append(
            f"Column {self.all.index(name) + 1} has no name and {what}; it is left out."
        )
        return True

    def _state_tokens(self) -> None:
        if self.tokens:
            listed = ", ".join(f'"{token}" ({n:,})' for token, n in self.tokens.most_common())
            self.notices.append(f"Cells with {listed} are missing values.")


def _joined(frames: Mapping[str, Frame], options: Options) -> tuple[Frame, list[str]]:
    """The tables of all parts below each other, and the names of their rows."""
    first = next(iter(frames.values()))
    rows: list[str] = []
    for frame in frames.values():
        rows += _names(frame, options)
    if len(frames) == 1:
        return first, rows
    import pandas as pd

    names = {part: [str(name) for name in each.table.columns] for part, each in frames.items()}
    common = [n for n in names[next(iter(names))] if all(n in each for each in names.values())]
    whole, wanted = list(common), options.columns or ()
    for part, own in names.items():
        odd = [name for name in own if name not in common and name not in wanted]
        if odd == [options.label]:
            whole.append(odd[0])
        elif odd and not (wanted and set(wanted) <= set(common)):
            raise DataError(
                f"Only the {part} part has the columns {', '.join(odd)}",
                f"Leave them out: {_choice([name for name in common if name != options.label])}.",
            )
    tables: list[pd.DataFrame] = [
        each.table[[name for name in whole if name in names[part]]] for part, each in frames.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return Frame(table, text=any(each.text for each in frames.values())), rows


def _names(frame: Frame, options: Options) -> list[str]:
    """The names of the rows of a part."""
    n = len(frame.table)
    if options.id is not None and options.id in frame.table:
        cells = frame.table[options.id]
        missing = cells.isna()
        return [
            f"row {i}" if empty else as_text(cell)
            for i, (cell, empty) in enumerate(zip(cells, missing, strict=True))
        ]
    return [f"row {i}" for i in range(n)] if frame.names is None else list(frame.names)


def _given_labels(
    labels: Mapping[str, Any], parts: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Labels that are not a column, of each part, as classes and their numbers."""
    import pandas as pd

    given = {part: labels[part] for part in parts if labels.get(part) is not None}
    if not given:
        return (), {}
    series = [pd.Series(np.asarray(y, dtype=object).reshape(-1)) for y in given.values()]
    if any(np.ndim(y) > 1 for y in given.values()):
        return (), given  # refused, with its shape, where labels are checked
    cells = Cells("of the labels", pd.concat(series, ignore_index=True), False)
    if (decimal := _decimal(cells)) is not None:
        raise DataError(
            f"The labels are not classes: one is {decimal:.6g}", "Give integers or texts, or none."
        )
    classes, codes = cells.categories()
    ends = np.cumsum([len(each) for each in series])[:-1]
    return classes, dict(zip(given, np.split(codes, ends), strict=True))


def _decimal(cells: Cells) -> float | None:
    """A value that is no whole number; None if the cells have none."""
    if not cells.is_number:
        return None
    values = cells.series[cells.series % 1 != 0].dropna()
    return float(values.iloc[0]) if len(values) else None


def _choice(names: Sequence[str]) -> str:
    """The option that gives columns, on the command line and in Python."""
    python = f"columns={list(names)!r}"
    if any("," in name for name in names):
        return python
    return f"--columns {shlex.quote(','.join(names))} ({python})"
