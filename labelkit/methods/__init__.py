"""The papers' training steps and inference, one file a paper, written from models and losses."""
