"""One module a notebook: frame in, exhibit and sentences out. The only room that rounds."""
