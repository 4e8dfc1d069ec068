# SPDX-License-Identifier: Apache-2.0
"""trust: feature keys, the unit's certificate, what pairs two units, passwords. Imported where it is needed
only: with PyNaCl it costs a process some megabytes."""
