"""Cells run in this process, with the outputs that a kernel would have sent."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

Output = dict[str, Any]


class OutputLimitExceeded(BaseException):
    """More output than allowed; not an Exception, so that a cell does not swallow it."""


class Outputs:
    """The outputs of a cell as they come, within a limit for the whole notebook.

    Args:
        most_bytes: Of all outputs together.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.size = 0
        self.cell: list[Output] = []
        self._named: dict[str, list[Output]] = {}
        self._clear = False

    def start(self) -> None:
        """Begin a cell."""
        self.cell, self._clear = [], False

    def write(self, stream: str, text: str) -> None:
        """Add text of stdout or stderr."""
        self._count(len(text))
        self._clear_if_asked()
        if self.cell and self.cell[-1].get("name") == stream:
            self.cell[-1]["text"] += text
        else:
            self.cell.append({"output_type": "stream", "name": stream, "text": text})

    def add(self, output: Output, *, display_id: str | None = None) -> None:
        """Add an output; one with a display id can be updated later."""
        self._count(_size(output))
        self._clear_if_asked()
        self.cell.append(output)
        if display_id:
            self._named.setdefault(display_id, []).append(output)

    def update(self, display_id: str, data: Output, metadata: Output) -> None:
        """Replace what was displayed under an id."""
        self._count(_size(data))
        for output in self._named.get(display_id, ()):
            output["data"], output["metadata"] = data, metadata

    def clear(self, *, wait: bool) -> None:
        """Drop the cell's outputs: now, or when the next one comes."""
        self._clear = True
        if not wait:
            self._clear_if_asked()

    def _clear_if_asked(self) -> None:
        if self._clear:
            self.cell.clear()
            self._clear = False

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > self.most_bytes:
            raise OutputLimitExceeded


class _Stream(io.TextIOBase):
    """sys.stdout or sys.stderr of a notebook."""

    encoding = "utf-8"

    def __init__(self, outputs: Outputs, name: str) -> None:
        self._outputs, self._name = outputs, name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._outputs.write(self._name, str(text))
        return len(text)


class _Publisher(DisplayPublisher):
    outputs: Outputs

    def publish(
        self,
        data: Output,
        metadata: Output | None = None,
        source: str | None = None,  # noqa: ARG002
        *,
        transient: Output | None = None,
        update: bool = False,
        **_: object,
    ) -> None:
        display_id = (transient or {}).get("display_id")
        if update and display_id:
            self.outputs.update(display_id, _encoded(data), metadata or {})
        else:
            output = {
                "output_type": "display_data",
                "data": _encoded(data),
                "metadata": metadata or {},
            }
            self.outputs.add(output, display_id=display_id)

    def clear_output(self, wait: bool = False) -> None:
        self.outputs.clear(wait=wait)


class _Hook(DisplayHook):
    outputs: Outputs

    def write_output_prompt(self) -> None: ...

    def write_format_data(self, format_dict: Output, md_dict: Output | None = None) -> None:
        output = {
            "output_type": "execute_result",
            "execution_count": self.prompt_count,
            "data": _encoded(format_dict),
            "metadata": md_dict or {},
        }
        self.outputs.add(output)

    def finish_displayhook(self) -> None: ...


class Shell(InteractiveShell):
    """IPython without a terminal: displays, results and errors become outputs."""

    display_pub_class = _Publisher
    displayhook_class = _Hook
    outputs: Outputs

    def attach(self, outputs: Outputs) -> None:
        """Where outputs go."""
        self.outputs = outputs
        for place in (self.display_pub, self.displayhook):
            vars(place)["outputs"] = outputs

    def system(self, cmd: str) -> None:
        """What `!command` runs: its output is the cell's."""
        self.system_piped(cmd)  # type: ignore[no-untyped-call]

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        if not isinstance(evalue, OutputLimitExceeded):
            self.outputs.add(
                {
                    "output_type": "error",
                    "ename": etype.__name__,
                    "evalue": str(evalue),
                    "traceback": list(stb),
                }
            )


@contextmanager
def fresh_shell(most_bytes: int) -> Iterator[Shell]:
    """A shell with a namespace of its own, and this process's streams going to its outputs."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    Shell.clear_instance()
    shell = Shell.instance(config=config)
    shell.attach(Outputs(most_bytes))
    streams = sys.stdin, sys.stdout, sys.stderr
    main, hooks = sys.modules["__main__"], (sys.displayhook, sys.excepthook)
    sys.stdin = io.StringIO()
    sys.stdout, sys.stderr = _Stream(shell.outputs, "stdout"), _Stream(shell.outputs, "stderr")
    sys.modules["__main__"] = shell.user_module
    try:
        yield shell
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
        sys.modules["__main__"] = main
        sys.displayhook, sys.excepthook = hooks
        Shell.clear_instance()


def run_cell(shell: Shell, source: str) -> tuple[list[Output], int]:
    """Run a cell: its outputs, and its number. An error is the last output.

    Raises:
        OutputLimitExceeded: There was more output than allowed.
    """
    shell.outputs.start()
    result = shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
    error = result.error_before_exec or result.error_in_exec
    if shell.outputs.size > shell.outputs.most_bytes or isinstance(error, OutputLimitExceeded):
        raise OutputLimitExceeded
    return shell.outputs.cell, int(result.execution_count or 0)


def _encoded(data: Output) -> Output:
    from ipykernel.jsonutil import encode_images, json_clean

    cleaned: Output = json_clean(encode_images(data))  # type: ignore[no-untyped-call]
    return cleaned


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(k)) + _size(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 8
