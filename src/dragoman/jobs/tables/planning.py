"""A job over tables: planned once as a spec and its shards, and read by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TypeAlias

from msgspec import structs

from dragoman.errors import InputChanged, InvalidRequest, UnreadableTable
from dragoman.jobs.spec import SHARD_ROWS, InputFile, JobSpec, Shard, TableFamily
from dragoman.jobs.tables import delimited, lines, parquet
from dragoman.jobs.tables.base import Cursor, Range, ShardRows, Survey, appended_names
from dragoman.types import TranslateRequest

FAMILIES: dict[str, TableFamily] = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"
}  # fmt: skip

_Surveyor: TypeAlias = "Callable[[Sequence[Path], Sequence[str], int, int | None], Survey]"
_SURVEYS: dict[TableFamily, _Surveyor] = {
    "parquet": parquet.survey,
    "csv": delimited.survey,
    "jsonl": lines.survey,
}
_CURSORS: dict[TableFamily, Callable[[JobSpec, Path], Cursor]] = {
    "parquet": parquet.ParquetCursor,
    "csv": delimited.DelimitedCursor,
    "jsonl": lines.LinesCursor,
}


def plan_table(
    paths: Sequence[Path],
    *,
    columns: Sequence[str],
    request: TranslateRequest,
    glossaries: Sequence[str] = (),
    name: str = "{column}_{target}",
    shard_rows: int = SHARD_ROWS,
    limit: int | None = None,
    family: TableFamily | None = None,
) -> tuple[JobSpec, list[Shard]]:
    """Plan the job that translates `columns` of these files, which are one table in this order.

    Of Parquet only the metadata is read; CSV and JSON Lines are gone over once. The `family` is told by the suffixes
    where it is not given; `limit` takes the first rows only. Raises InvalidRequest and UnreadableTable.
    """
    _check_asked(paths, columns, name, shard_rows, limit)
    family = family or _family(paths)
    stands = [_as_it_is(path.absolute()) for path in paths]
    survey = _surveyed(family, [Path(one.path) for one in stands], columns, shard_rows, limit)
    inputs = [
        structs.replace(one, rows=sum(piece.rows for piece in found))
        for one, found in zip(stands, survey.files, strict=True)
    ]
    spec = JobSpec(
        inputs=tuple(inputs),
        family=family,
        columns=tuple(columns),
        request=structs.replace(request, texts=(), wishes=structs.replace(request.wishes, glossaries=())),
        glossaries=tuple(glossaries),
        name=name,
        csv=survey.csv,
        shard_rows=shard_rows,
        limit=limit,
        rows=sum(one.rows for one in inputs),
    )
    _check_names(spec, survey.names)
    return spec, _shards(survey.files)


def _surveyed(
    family: TableFamily, paths: Sequence[Path], columns: Sequence[str], shard_rows: int, limit: int | None
) -> Survey:
    try:
        return _SURVEYS[family](paths, columns, shard_rows, limit)
    except OSError as error:
        raise UnreadableTable(f"{error.filename or paths[0]} cannot be read: {error.strerror}.") from error


def _check_asked(paths: Sequence[Path], columns: Sequence[str], name: str, shard_rows: int, limit: int | None) -> None:
    if not paths:
        raise InvalidRequest("No table is named.", field="paths")
    if not columns:
        raise InvalidRequest("No column is named: say which to translate.", field="columns")
    if len(set(columns)) < len(columns):
        raise InvalidRequest("A column is named twice.", field="columns")
    if shard_rows < 1:
        raise InvalidRequest("A shard has at least one row.", field="shard_rows")
    if limit is not None and limit < 1:
        raise InvalidRequest("The limit is at least one row.", field="limit")
    try:
        name.format(column="", target="")
    except (LookupError, ValueError, AttributeError) as error:
        raise InvalidRequest(
            f"The name {name!r} may hold {{column}} and {{target}} and no other braces.", field="name"
        ) from error


def _family(paths: Sequence[Path]) -> TableFamily:
    found = {FAMILIES.get(path.suffix.lower()) for path in paths}
    if len(found) > 1:
        raise InvalidRequest("The files are of different kinds. Make a job of each.", field="paths")
    family = found.pop()
    if family is None:
        raise UnreadableTable(
            f"{paths[0]} is no table that can be told by its name. Its name has to end in {', '.join(FAMILIES)}.",
            field="paths",
        )
    return family


def _as_it_is(path: Path) -> InputFile:
    try:
        stat = path.stat()
    except OSError as error:
        raise UnreadableTable(f"{path} cannot be read: {error.strerror}.", field="paths") from error
    if not path.is_file():
        raise UnreadableTable(f"{path} is no file.", field="paths")
    return InputFile(str(path), stat.st_size, stat.st_mtime_ns, 0)


def _check_names(spec: JobSpec, taken: Sequence[str]) -> None:
    names = list(taken)
    for name in appended_names(spec):
        if name in names:
            raise InvalidRequest(
                f"The output column {name!r} would stand there twice. Give the output columns other names, such as "
                f"--name 'translated_{{column}}_{{target}}'.",
                field="name",
            )
        names.append(name)


def _shards(files: Sequence[Sequence[Range]]) -> list[Shard]:
    placed = [
        (file, start, piece)
        for file, found in enumerate(files)
        for start, piece in zip(accumulate((one.rows for one in found), initial=0), found, strict=False)
    ]
    firsts = accumulate((piece.rows for _, _, piece in placed), initial=0)
    return [
        Shard(
            number=number,
            file=file,
            start=start,
            first=first,
            rows=piece.rows,
            offset=piece.offset,
            end=piece.end,
        )
        for number, ((file, start, piece), first) in enumerate(zip(placed, firsts, strict=False))
    ]


def check_unchanged(spec: JobSpec) -> None:
    """Look whether the inputs are what they were when the job was planned. Raises InputChanged, which lists what is
    not.
    """
    changes = [change for one in spec.inputs if (change := _change(one)) is not None]
    if changes:
        raise InputChanged(
            f"The input is not what it was when the job was planned: {'; '.join(changes)}. Put it back as it was, or "
            f"plan another job."
        )


def _change(planned: InputFile) -> str | None:
    try:
        stat = Path(planned.path).stat()
    except OSError as error:
        return f"{planned.path} cannot be read ({error.strerror})"
    if stat.st_size != planned.size:
        return f"{planned.path} had {planned.size} bytes and has {stat.st_size}"
    if stat.st_mtime_ns != planned.mtime_ns:
        return f"{planned.path} was modified"
    return None


class Reader:
    """Reads shards, from one thread at a time. State: the input that is open, and where it stands."""

    def __init__(self, spec: JobSpec) -> None:
        self._spec = spec
        self._file = -1
        self._cursor: Cursor | None = None

    def read(self, shard: Shard) -> ShardRows:
        """The rows of a shard. Raises InputChanged where they are not those that were planned, and UnreadableTable
        where the range cannot be read.
        """
        try:
            return self._at(shard.file).read(shard)
        except UnreadableTable:
            check_unchanged(self._spec)  # a file that was cut short is no broken one
            raise

    def _at(self, file: int) -> Cursor:
        if self._cursor is None or self._file != file:
            self.close()
            path = Path(self._spec.inputs[file].path)
            try:
                self._cursor = _CURSORS[self._spec.family](self._spec, path)
            except OSError as error:
                raise UnreadableTable(f"{path} cannot be read: {error.strerror}.") from error
            self._file = file
        return self._cursor

    def close(self) -> None:
        """Close what is open. It may be read from again."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
