"""Everything u2net raises on purpose.

    U2NetError                  exit code 1: catch this one to catch them all
    ├── BadInput                2: the request or the picture cannot be used
    │   ├── UnreadablePicture   2: missing, damaged, or not a picture
    │   ├── PictureTooLarge     2: over the limit of pixels or bytes
    │   └── UnknownModel        2: no such model name
    ├── CannotWrite             1: the result could not be written
    │   └── NotWritable         2: the file that is to be replaced is not to be written
    ├── LossIsNaN               1: a training's loss is not a number any more
    ├── ExportDiffers           1: an exported network's maps are not those of the network
    ├── NothingSalient          3: no object found, and the caller asked to fail then
    ├── WeightsUnavailable      4: the weight file is not here and could not be had
    │   └── WrongChecksum       4: a weight file is not the one it should be
    ├── EngineUnavailable       5: the engine, device or precision is not to be had here
    └── MissingExtra            5: a package is not installed that only this needs

Each message is one sentence or two: what is wrong, and what to do. The exit code is the command line's.
"""

from __future__ import annotations


class U2NetError(Exception):
    """Base of every error that u2net raises on purpose.

    >>> try:
    ...     u2net.read("no-such-file.jpg")
    ... except u2net.U2NetError as error:
    ...     print(error, error.exit_code)
    no-such-file.jpg: there is no such file 2
    """

    exit_code = 1


class BadInput(U2NetError, ValueError):
    """The request or the picture cannot be used."""

    exit_code = 2


class UnreadablePicture(BadInput):
    """The file is missing, damaged, or not a picture."""


class PictureTooLarge(BadInput):
    """The picture is over the limit of pixels or bytes."""


class UnknownModel(BadInput):
    """There is no model of that name."""


class CannotWrite(U2NetError):
    """The result could not be written."""


class NotWritable(CannotWrite, BadInput):
    """The file that the result would replace is write-protected."""

    exit_code = 2


class LossIsNaN(U2NetError):
    """A training's loss is not a number any more."""


class ExportDiffers(U2NetError):
    """What was exported gives other maps in its own runtime than the network does in torch."""


class NothingSalient(U2NetError):
    """No object was found, and the caller asked to fail in that case."""

    exit_code = 3


class WeightsUnavailable(U2NetError):
    """The weight file is not on this machine and could not be fetched."""

    exit_code = 4


class WrongChecksum(WeightsUnavailable):
    """A weight file is not the published one."""


class EngineUnavailable(U2NetError):
    """The engine, device or precision asked for is not to be had on this machine."""

    exit_code = 5


class MissingExtra(U2NetError):
    """A package is not installed that comes with one of u2net's extras."""

    exit_code = 5
