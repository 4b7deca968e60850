"""Tests of the certificate checker."""
