"""The gateway as the authorization server of its clients, in front of an identity provider.

For providers where clients cannot register by themselves: clients register here, people consent
here and log in there, and tokens for the gateway's endpoints are issued here.

Must not know: fronts' MCP half, servers, how state is stored. Nothing that a stranger sends is
kept: what has to be remembered before somebody has logged in is sealed and handed back to who sent
it. Only logins that came to an end have anything in the store.
"""
