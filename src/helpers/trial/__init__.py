"""What happens to children: the simulator, from a clinic to the raw tables of one trial or the arrays of many."""
