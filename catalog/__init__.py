"""What exists: relations and their definitions, as one state machine of commands.

    state' = state.apply(command)          pure, deterministic, refuses or succeeds whole

Commands travel in epoch records, so replaying the log rebuilds the same catalog
with the same versions. A definition holds everything a restart needs, lowered
plans included; nothing here plans, executes or touches a disk.
"""
