# SPDX-License-Identifier: Apache-2.0
"""upgrade: firmware in two slots, and language packs."""
