"""Shapes at the edge: form or JSON in, plain frozen values out."""
