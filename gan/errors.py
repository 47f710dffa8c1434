"""What goes wrong: mistakes of users, and how training fails."""


class UserError(Exception):
    """Bad flags or bad input, said in one line; command lines end with status 2."""


class CannotDraw(Exception):
    """Numbers are finite and still cannot be drawn; whoever wants the picture goes on without."""


class TrainingFailed(Exception):
    """Training cannot go on; command lines end with status 1."""


class NotFinite(TrainingFailed):
    """A loss, a logit, a gradient or a weight is not finite."""


class CannotWrite(TrainingFailed):
    """The run directory cannot be written; the run itself is sound and may go on later."""


class OutOfMemory(TrainingFailed):
    """The device or the machine has too little memory; the run itself is sound."""
