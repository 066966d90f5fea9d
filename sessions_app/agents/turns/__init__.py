"""When the caller has finished and it is the agent's turn: see ``decision``."""
