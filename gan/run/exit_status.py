"""How a command ends, see docs/run-directory.md; with 128 + n after a second signal, number n."""

DONE, FAILED, BAD_INPUT, PREEMPTED, INTERRUPTED = 0, 1, 2, 75, 130
