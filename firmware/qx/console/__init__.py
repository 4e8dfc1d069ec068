# SPDX-License-Identifier: Apache-2.0
"""console: the serial console, a face: it asks, calls `control` and shows what that answered (R30)."""
