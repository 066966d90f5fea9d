"""From due rows to signed requests: addresses, claims, schedule, sender, dispatcher."""
