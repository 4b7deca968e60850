"""The monitor as an HTTP service. Its modules import FastAPI and are imported when something is served."""
