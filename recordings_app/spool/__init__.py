"""What a live call leaves on disk, frame by frame, until its recordings are made."""
