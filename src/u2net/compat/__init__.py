"""The calls of other tools, so that a program written for them needs one other import."""
