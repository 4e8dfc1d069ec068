# SPDX-License-Identifier: Apache-2.0
"""web: the embedded pages: a face. Everything it shows and does, it asks the daemon for (`control`).

A process of its own (`qx web`), which the daemon starts in every role. It may be killed at any moment: the
next one starts afresh, and people log in again.
"""
