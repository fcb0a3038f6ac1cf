"""Finding tools, prompts and resources by what somebody wants to do; in process, no model, pure."""
