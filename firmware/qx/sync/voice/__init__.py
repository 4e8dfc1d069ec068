# SPDX-License-Identifier: Apache-2.0
"""voice: recordings, greetings, prompts and voicemail cross from Master to Backup (R14 to R16).

`part` is the whole of it for the daemon; `leader` and `follower` are its two sides in a session, `session` is
what they share. Below them: `naming` and `messages` are pure; `tree` has every operation on the files,
`manifest` every one on the rows, `stock` has both; `looking`, `scan` and `watch` find out what changed,
`source` gives what the other unit asks for, `compare` finds what differs, `sink` gathers it and `batch` makes
it this unit's, whole or not at all.
"""
