"""The jobs: one short function each that tells the whole way."""
