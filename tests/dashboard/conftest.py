"""The pages' callers, for the tests of this folder."""
