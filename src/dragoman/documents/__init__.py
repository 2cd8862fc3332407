"""Documents: files read into passages to translate, and written again with everything else as it was."""
