"""One module a chapter: turns its tables into the exhibits that the notebook shows."""
