"""What is known about attacks: pure judgements on definitions, arguments and results.

Must not know: servers, fronts, event loops, configuration files. Whoever enforces a judgement is a
policy or the gateway; what is here can be asked about any text, offline, and says the same each
time.
"""
