"""What attacks on a model's instructions have to do, each as one signal with one reason.

Must not know: where a text came from, or what is done about what is found.
"""
