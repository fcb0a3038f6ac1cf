"""How well definitions are judged: detection by source, false alarms, cost, others beside it."""
