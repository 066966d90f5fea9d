"""From a file to its text: headings and paragraphs. Knows no Django: it runs in a child process.

Files come from anybody, so each is read in a process of its own (``__main__``), with a deadline, a
limit of memory and no way to write files. ``child`` is the parent's side.
"""
