"""What may not be published is found here: suites of Great Expectations, from fields, reports and drafts.

| suite | looks at | when it fails |
| --- | --- | --- |
| `tables.py` | released tables, before each publication | it is held back |
| `facts.py` | each file of facts, once | publication is held back |
| `drafts.py` | tables that are about to leave the house | they do not |
| `weekdays.py` | yesterday beside the same weekdays before | it is said |
"""
