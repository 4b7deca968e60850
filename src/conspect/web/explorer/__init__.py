"""The explorer: a study looked at in the browser. Answers come from `study.exploration`; this room only carries them."""
