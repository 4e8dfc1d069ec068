# SPDX-License-Identifier: Apache-2.0
"""events: what happened on this unit, kept and told."""
