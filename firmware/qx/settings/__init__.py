# SPDX-License-Identifier: Apache-2.0
"""settings: what can be set (schema, values, check) and where it is kept (store)."""
