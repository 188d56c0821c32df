"""From stored results to the report: one offline page, with its figures and tables as files beside it.

``build`` leads from a results folder to the page; ``views`` says which trials are looked at together;
``sections`` asks an experiment for its claims, figures and tables; ``ledger`` puts the claims of all
experiments together."""
