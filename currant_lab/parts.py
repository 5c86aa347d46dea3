"""The binary parts of a payload: data frames as Arrow IPC streams, arrays as .npy without pickle, raw bytes.

The libraries are imported only when a value of theirs is at hand.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

from currant_lab.arrow_stream import check_stream

__all__ = ["BATCH", "EXECUTION", "NotData", "from_part", "library_of", "to_part"]

EXECUTION = "execution"
BATCH = "batch"
"""Handles: they stand for results that are not there yet. See `ties`."""


class NotData(ValueError):
    """A value, or a part of one, that can't be stored: the message says why, and what to do."""


_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow"})


def library_of(value: object) -> str | None:
    """Which of the libraries whose values become parts this value's class comes from."""
    for base in type(value).__mro__:
        name = base.__module__.partition(".")[0]
        if name in _LIBRARIES:
            return name
    return None


def to_part(value: Any) -> tuple[str, bytes] | None:
    """(kind, bytes) of a value that is stored in binary form; None when it is not of that sort.

    Raises:
        ValueError: it is of that sort, but holds what can't be data; the message says what to do.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return "bytes", bytes(value)
    own = getattr(type(value), "__currant_part__", None)
    if own is not None:
        part: tuple[str, bytes] = own(value)
        return part
    library = library_of(value)
    if library is None:
        return None
    write = _WRITERS[library]
    try:
        return write(value)
    except ValueError:
        raise
    except Exception as error:  # every library has errors of its own for what it can't write
        raise ValueError(_one_line(error)) from error


def from_part(kind: str, data: memoryview) -> Any:
    """The value of a part.

    Raises:
        ValueError: the bytes are not what `kind` says, or the library that reads them is missing.
    """
    if kind == "bytes":
        return bytes(data)
    if kind == EXECUTION and len(data) == 16:
        return f"the result of {UUID(bytes=bytes(data))}"
    if kind == BATCH and len(data) % 16 == 8:
        return f"the results of {len(data) // 16:,} executions"
    if kind not in _READERS:
        raise ValueError(f"this version of Currant doesn't know parts of kind {kind[:40]!r}")
    library, read = _READERS[kind]
    try:
        module = importlib.import_module(library)
    except ImportError:
        raise ValueError(f"it is a {kind}, and {library} is not installed here: pip install {library}") from None
    try:
        return read(module, data)
    except ValueError:
        raise
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - polars panics with a BaseException of its own on broken bytes
        raise ValueError(_one_line(error)) from None


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _write_numpy(value: Any) -> tuple[str, bytes] | None:
    import numpy as np

    if not isinstance(value, np.ndarray):
        return None
    if isinstance(value, np.ma.MaskedArray):
        raise NotData("a masked array would lose its mask: pass .filled(...) or the data and the mask")
    if value.dtype.hasobject:
        raise ValueError("an array of Python objects is not data: give it a dtype, or pass a list")
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(value), allow_pickle=False)
    return "numpy.ndarray", buffer.getvalue()


def _read_numpy(np: Any, data: memoryview) -> Any:
    file = io.BytesIO(data)
    major, _ = np.lib.format.read_magic(file)
    if major not in (1, 2):
        raise ValueError("a .npy header of a version that Currant doesn't write")
    read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    count = 1
    for length in shape:
        if length < 0:
            raise ValueError("a negative length")
        count *= length
    if count * dtype.itemsize != len(data) - file.tell():
        raise ValueError("the array's shape and its bytes don't agree")
    if dtype.itemsize == 0 or count == 0:
        return np.empty(shape, dtype=dtype)
    # A copy, so that the array can be written to and doesn't keep the payload alive.
    flat = np.frombuffer(data, dtype=dtype, offset=file.tell()).copy()
    return flat.reshape(shape[::-1]).T if is_fortran else flat.reshape(shape)


def _write_pandas(value: Any) -> tuple[str, bytes] | None:
    import pandas as pd

    if isinstance(value, pd.Series):
        kind = "pandas.Series" if value.name is not None else "pandas.Series unnamed"
        return kind, _pandas_stream(value.to_frame())
    if isinstance(value, pd.DataFrame):
        return "pandas.DataFrame", _pandas_stream(value)
    return None


def _pandas_stream(frame: Any) -> bytes:
    try:
        import pyarrow as pa
    except ImportError:
        raise ValueError("data frames are stored as Arrow: pip install 'currant-lab[frames]'") from None
    try:
        return _arrow_stream(pa.Table.from_pandas(frame))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ValueError(f"Arrow can't hold this data frame: {_one_line(error)}") from None


def _read_pandas(_: Any, data: memoryview) -> Any:
    return _read_table(importlib.import_module("pyarrow"), data).to_pandas()


def _read_series(_: Any, data: memoryview) -> Any:
    return _read_pandas(_, data).iloc[:, 0]


def _read_unnamed_series(_: Any, data: memoryview) -> Any:
    return _read_pandas(_, data).iloc[:, 0].rename(None)


def _write_pyarrow(value: Any) -> tuple[str, bytes] | None:
    import pyarrow as pa

    if isinstance(value, pa.Table):
        return "pyarrow.Table", _arrow_stream(value)
    if isinstance(value, pa.RecordBatch):
        return "pyarrow.RecordBatch", _arrow_stream(pa.Table.from_batches([value]))
    return None


def _arrow_stream(table: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _read_table(pa: Any, data: memoryview) -> Any:
    check_stream(data)
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        table = reader.read_all()
    table.validate()
    return table


def _read_record_batch(pa: Any, data: memoryview) -> Any:
    table = _read_table(pa, data).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _write_polars(value: Any) -> tuple[str, bytes] | None:
    import polars as pl

    if isinstance(value, pl.LazyFrame):
        raise NotData("a LazyFrame is a plan, not data: pass .collect()")
    if isinstance(value, pl.Series):
        return "polars.Series", _polars_stream(value.to_frame())
    return ("polars.DataFrame", _polars_stream(value)) if isinstance(value, pl.DataFrame) else None


def _polars_stream(frame: Any) -> bytes:
    if any(dtype.is_nested() is False and str(dtype) == "Object" for dtype in frame.dtypes):
        raise ValueError("a column of Python objects is not data: give it a dtype")
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="uncompressed")
    return buffer.getvalue()


def _read_polars(pl: Any, data: memoryview) -> Any:
    check_stream(data)
    return pl.read_ipc_stream(io.BytesIO(data))


def _read_polars_series(pl: Any, data: memoryview) -> Any:
    return _read_polars(pl, data).to_series(0)


_WRITERS: dict[str, Callable[[Any], tuple[str, bytes] | None]] = {
    "numpy": _write_numpy,
    "pandas": _write_pandas,
    "polars": _write_polars,
    "pyarrow": _write_pyarrow,
}

_READERS: dict[str, tuple[str, Callable[[Any, memoryview], Any]]] = {
    "numpy.ndarray": ("numpy", _read_numpy),
    "pandas.DataFrame": ("pandas", _read_pandas),
    "pandas.Series": ("pandas", _read_series),
    "pandas.Series unnamed": ("pandas", _read_unnamed_series),
    "polars.DataFrame": ("polars", _read_polars),
    "polars.Series": ("polars", _read_polars_series),
    "pyarrow.RecordBatch": ("pyarrow", _read_record_batch),
    "pyarrow.Table": ("pyarrow", _read_table),
}
