"""Invalid traffic: rules as data, and what they say of each advert's event that is stored (M44).

`rules-N.toml` is a version of the rules; `rules` reads and checks it, `judging` makes SQL of it.
"""
