"""The spool: a live call's audio on disk, frame by frame, until its recordings are made."""
