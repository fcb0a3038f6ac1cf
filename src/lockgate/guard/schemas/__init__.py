"""JSON Schemas that servers wrote, held against values that others sent, at a bounded cost.

Must not know: tools, calls, what is done about what is found.

The schema and the value may both be hostile, and neither may hold up anybody else. So nothing is
ever fetched; what a schema can cost is read off before it is compiled (`shape`); what could cost
more than that is counted while it is checked (`counted`); and what is found is said in words of
ours, which quote no value (`words`). docs/why/schema-validation.md has the reasons and the figures.
"""
