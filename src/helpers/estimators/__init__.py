"""Statistics that know nothing of this trial: arrays in, estimates, intervals and tests out."""
