"""Where things that outlive a call are kept: memory, SQLite, Redis or Valkey.

Each file is one store with the three protocols of `lockgate.core.store`. No store knows what it
keeps, who asks for it, or another store; only `opening` knows them all.
"""
