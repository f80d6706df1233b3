"""What it means: tables in, tidy frames out, a module a question. No words, no HTML, no figure; never the truth."""
