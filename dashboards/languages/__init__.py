"""The languages of pages: a catalogue each, and what gathers the words that go into them."""

#: By their BCP 47 tags, each in its own words. A new one is a line here and a file `<tag>.po`.
LANGUAGES = {"en": "English", "de": "Deutsch", "ar": "العربية"}
