"""What the commands that make something of pictures share: their flags, and the run over what a user named."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from u2net.cli.options.composition import BackgroundOptions, FrameOptions, background_options, frame_options
from u2net.cli.options.folder import FolderOptions, folder_options
from u2net.cli.options.groups import Sectioned
from u2net.cli.options.objects import EdgeOptions, SubjectOptions, edge_options, edges_option, subject_options
from u2net.cli.options.pictures import EncodingOptions, InputOptions, encoding_options, picture_options
from u2net.cli.options.session import SessionOptions

if TYPE_CHECKING:
    from u2net.batch.inputs import Job
    from u2net.batch.operation import Drawing, Report, Work
    from u2net.batch.process import Outcome
    from u2net.batch.settings import Encoding
    from u2net.compose.cutout import Cutout
    from u2net.inference.predict import Segmentation
    from u2net.inference.session import Session
    from u2net.types import Picture

GROUPS = {
    "subject": subject_options,
    "edge": edge_options,
    "edges": edges_option,
    "framed": frame_options,
    "scene": background_options,
    "encoding": encoding_options,
    "many": folder_options,
}
"""What a command may ask for beside the pictures and the session -> the flags that it then has."""
_GIVES = {*GROUPS, "session", "given"}


@dataclass
class PictureRun:
    """One call of a picture command: what its flags say, of the groups that it has, and how its pictures are done.

    tag: see `inputs.plan`.
    """

    tag: str
    session: SessionOptions
    given: InputOptions
    subject: SubjectOptions
    edge: EdgeOptions
    edges: Any
    framed: FrameOptions
    scene: BackgroundOptions
    encoding: EncodingOptions
    many: FolderOptions
    _opened: Session | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @functools.cached_property
    def encoded(self) -> Encoding:
        """How results are written. Raises BadInput where the format has no use for another flag."""
        return self.encoding.for_output(self.given.output)

    def open(self, requests: int = 1) -> Session:
        """The session, opened at the first call, whichever thread that comes from. requests: as for `open_session`."""
        from u2net.system.signals import end_at_once

        # Weights are fetched, a model is compiled: nothing is lost by an end, and it may take long.
        with self._opening, end_at_once():
            if self._opened is None:
                self._opened = self.session.open(quiet=self.given.quiet, requests=requests)
        return self._opened

    def plan(self, *, suffix: str | None = None, **how: Any) -> list[Job]:
        """The jobs; see `inputs.plan`. suffix: of the results, where it is not that of `encoded`."""
        from u2net.batch.inputs import plan

        return plan(self.given.inputs, self.given.output, tag=self.tag, suffix=suffix or self.encoded.suffix, **how)

    def each(
        self,
        draw: Callable[[Picture, Segmentation], tuple[Cutout, Report]],
        *,
        find: Callable[[Picture], Segmentation] | None = None,
        needs_object: bool = False,
        moves: bool = True,
        **how: Any,
    ) -> int:
        """Find the subject of each picture, and write what is drawn of the two; returns the exit code.

        draw, needs_object, moves: see `Drawing`. find: instead of `segment` as the flags say. how: see `inputs.plan`.
        """
        from u2net.batch.operation import Drawing
        from u2net.tasks.remove import segment

        arguments = self.subject.arguments
        jobs = self.plan(**how)

        def open_work(requests: int) -> Drawing:
            finds = find or functools.partial(segment, self.open(requests), **arguments)
            return Drawing(finds, draw, self.encoded, needs_object=needs_object, moves=moves)

        return self.do(open_work, jobs)

    def do(
        self,
        open_work: Callable[[int], Work],
        jobs: Sequence[Job],
        *,
        given: InputOptions | None = None,
        writes: bool = True,
        each: Callable[[Outcome], None] = lambda outcome: None,
    ) -> int:
        """Do jobs and show what became of them; returns the exit code.

        open_work: see `Run`. given: instead of what the flags say. writes: whether the jobs write pictures. each: see
        `show`.
        """
        from u2net.batch.run import Run
        from u2net.cli.show import check_streams, leave, show

        given = given or self.given
        settings = replace(given.settings, writes=writes)
        run = Run(jobs, open_work, settings, threads=self.session.threads, several=len(jobs) > 1)
        check_streams(run, given)
        return leave(show(run, given, each=each))


def picture_command(
    name: str, *groups: str, epilog: str, tag: str = ""
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that takes a `PictureRun` and, by name, the flags of its own; it returns the exit
    code, and its docstring is the help.

    groups: names of GROUPS. tag: of results beside their inputs.
    """

    def decorate(function: Callable[..., int]) -> click.Command:
        def collected(**values: Any) -> int:
            said = {group: values.pop(group, None) for group in _GIVES}
            return function(PictureRun(tag, **said), **values)

        collected.__doc__ = function.__doc__
        collected.__name__ = name
        collected.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        wrapped: Callable[..., int] = collected
        for group in reversed(groups):
            wrapped = GROUPS[group](wrapped)
        return click.command(name, cls=Sectioned, epilog=epilog)(picture_options(wrapped))

    return decorate
