"""The words people answer with, as data, one text file per language, and the code that folds text and loads them."""
