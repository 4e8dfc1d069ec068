# SPDX-License-Identifier: Apache-2.0
"""peer: the session between the two units: framing, pairing, hello, heartbeats. Knows no content."""
