"""The shared words as small frozen types. Imports NumPy and nothing of Conspect but itself."""
