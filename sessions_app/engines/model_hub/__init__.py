"""Models from the Hugging Face hub: which are known, how they are fetched, and what is here."""
