"""The logs of a past run -> what the scheduler would have done in it."""
